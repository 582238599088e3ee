"""What is said of hidden tokens: the same packed or padded, for every family, in few shapes whatever was hidden."""

import pytest
import torch
from tiny_checkpoint import FAMILIES, as_spec, films, save_checkpoint, save_family

from finetune_alf.encoder.masked_lm import load_masked_lm
from finetune_alf.experiments.adapt.batch import NOT_TOLD, TOLD_TOGETHER, hidden
from finetune_alf.experiments.adapt.forward import HEADS, PackedMasked, PaddedMasked, masked_forward_of
from finetune_alf.experiments.adapt.masking import MaskLaw
from finetune_alf.experiments.adapt.pieces import Pieces
from finetune_alf.train.forward.families import FAMILIES as PACKED_FAMILIES

PACKED = ("Bert", "Roberta", "Camembert", "XLMRoberta", "DistilBert", "Electra")


@pytest.fixture(scope="module", params=["Bert", *FAMILIES])
def masked_lm(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    save_checkpoint(folder) if request.param == "Bert" else save_family(folder, request.param)
    return load_masked_lm(as_spec(folder), 0)


@pytest.fixture(scope="module")
def bert(with_head):
    return load_masked_lm(as_spec(with_head), 0)


def law(masked_lm, frac=0.15):
    return MaskLaw(frac, False, masked_lm.mask_token_id, torch.tensor(masked_lm.non_special_ids))


def films_batch(masked_lm, seed=0, n_texts=6):
    """Return texts of several lengths, in an order that is not by length, with something hidden."""
    pieces = Pieces.of(masked_lm.pieces(films()[:n_texts], 32))
    return hidden(pieces, range(len(pieces)), law(masked_lm), masked_lm.pad_token_id, seed)


def loss_and_gradients(masked_lm, forward, batch):
    masked_lm.model.zero_grad()
    logits = torch.cat(list(forward(batch)))
    loss = torch.nn.functional.cross_entropy(logits, batch.truth, reduction="sum", ignore_index=NOT_TOLD)
    loss.backward()
    gradients = {name: p.grad for name, p in masked_lm.model.named_parameters() if p.grad is not None}
    return loss.detach(), gradients


def test_every_family_of_the_packed_pass_has_its_head():
    assert set(HEADS) == set(PACKED_FAMILIES)


def test_known_families_go_packed_and_all_others_through_transformers(masked_lm):
    is_known = type(masked_lm.model).__name__.removesuffix("ForMaskedLM") in PACKED
    assert isinstance(masked_forward_of(masked_lm, 0), PackedMasked if is_known else PaddedMasked)


@pytest.mark.parametrize("masked_lm", PACKED, indirect=True)
def test_packed_says_what_transformers_says_and_learns_the_same_from_it(masked_lm):
    masked_lm.model.double().eval()
    batch = films_batch(masked_lm)
    (loss, gradients), (expected, expected_gradients) = (
        loss_and_gradients(masked_lm, forward, batch)
        for forward in (PackedMasked(masked_lm, 0), PaddedMasked(masked_lm))
    )
    assert torch.allclose(loss, expected, rtol=1e-12)
    assert set(gradients) == set(expected_gradients)
    largest = max(gradient.abs().max() for gradient in expected_gradients.values())
    for name, gradient in gradients.items():
        assert (gradient - expected_gradients[name]).abs().max() <= 1e-12 * largest


def test_in_training_dropout_falls_in_both(masked_lm):
    batch, forward = films_batch(masked_lm), masked_forward_of(masked_lm, 0)
    masked_lm.model.train()
    one, other = (torch.cat(list(forward(batch))) for _ in range(2))
    falls = any(isinstance(module, torch.nn.Dropout) and module.p for module in masked_lm.model.modules())
    assert torch.equal(one, other) != falls


def test_batches_have_few_shapes_and_places_that_fill_up_count_for_nothing(bert):
    shapes = set()
    for seed in range(12):
        batch = films_batch(bert, seed, n_texts=4 + seed)
        assert batch.ids.shape[1] % 8 == 0
        assert len(batch.places) == len(batch.truth) == -(-batch.n_hidden // TOLD_TOGETHER) * TOLD_TOGETHER
        assert int((batch.truth != NOT_TOLD).sum()) == batch.n_hidden
        assert (batch.truth[batch.n_hidden :] == NOT_TOLD).all()
        shapes |= {logits.shape for logits in PackedMasked(bert, 0)(batch)}
    assert shapes == {(TOLD_TOGETHER, len(bert.tokenizer))}


def test_a_batch_with_nothing_hidden_has_a_loss_of_zero_to_learn_nothing_from(bert):
    pieces = Pieces.of(bert.pieces(films()[:3], 32))
    batch = hidden(pieces, range(3), law(bert, frac=0.0), bert.pad_token_id, 0)
    loss, gradients = loss_and_gradients(bert, PackedMasked(bert, 0), batch)
    assert (batch.n_hidden, float(loss)) == (0, 0.0)
    assert all(not gradient.any() for gradient in gradients.values())
