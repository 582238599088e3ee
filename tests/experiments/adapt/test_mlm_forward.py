"""The logits of masked tokens: the same packed or padded, for every family, and in few shapes."""

import pytest
import torch
from tiny_checkpoint import FAMILIES, as_spec, films, save_checkpoint, save_family

from finetune_alf.encoder.masked_lm import load_masked_lm
from finetune_alf.experiments.adapt.batch import DECODER_CHUNK, IGNORE_INDEX, masked_batch
from finetune_alf.experiments.adapt.forward import HEADS, PackedMlmForward, PaddedMlmForward, mlm_forward_of
from finetune_alf.experiments.adapt.masking import MaskingRule
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


def films_batch(masked_lm, seed=0, n_texts=6):
    """Return masked texts of several lengths, not ordered by length."""
    pieces = Pieces.of(masked_lm.pieces(films()[:n_texts], 32))
    rule = MaskingRule.of(masked_lm, 0.15, whole_words=False)
    return masked_batch(pieces, range(len(pieces)), rule, masked_lm.pad_token_id, seed)


def loss_and_gradients(masked_lm, forward, batch):
    masked_lm.model.zero_grad()
    logits = torch.cat(list(forward(batch)))
    loss = torch.nn.functional.cross_entropy(logits, batch.labels, reduction="sum", ignore_index=IGNORE_INDEX)
    loss.backward()
    gradients = {name: p.grad for name, p in masked_lm.model.named_parameters() if p.grad is not None}
    return loss.detach(), gradients


def test_every_family_of_the_packed_pass_has_a_head():
    assert set(HEADS) == set(PACKED_FAMILIES)


def test_known_families_are_packed_and_all_others_go_through_transformers(masked_lm):
    is_known = type(masked_lm.model).__name__.removesuffix("ForMaskedLM") in PACKED
    assert isinstance(mlm_forward_of(masked_lm, 0), PackedMlmForward if is_known else PaddedMlmForward)


def test_a_model_that_the_packed_pass_does_not_compute_goes_through_transformers(tmp_path):
    decoder = load_masked_lm(as_spec(save_checkpoint(tmp_path, is_decoder=True)), 0)
    assert isinstance(mlm_forward_of(decoder, 0), PaddedMlmForward)


@pytest.mark.parametrize("masked_lm", PACKED, indirect=True)
def test_packed_loss_and_gradients_are_those_of_transformers(masked_lm):
    masked_lm.model.double().eval()
    batch = films_batch(masked_lm)
    (loss, gradients), (expected, expected_gradients) = (
        loss_and_gradients(masked_lm, forward, batch)
        for forward in (PackedMlmForward(masked_lm, 0), PaddedMlmForward(masked_lm))
    )
    assert torch.allclose(loss, expected, rtol=1e-12)
    assert set(gradients) == set(expected_gradients)
    largest = max(gradient.abs().max() for gradient in expected_gradients.values())
    for name, gradient in gradients.items():
        assert (gradient - expected_gradients[name]).abs().max() <= 1e-12 * largest


def test_training_applies_dropout_in_both(masked_lm):
    batch, forward = films_batch(masked_lm), mlm_forward_of(masked_lm, 0)
    masked_lm.model.train()
    one, other = (torch.cat(list(forward(batch))) for _ in range(2))
    has_dropout = any(isinstance(module, torch.nn.Dropout) and module.p for module in masked_lm.model.modules())
    assert torch.equal(one, other) != has_dropout


def test_batches_have_few_shapes_and_padding_has_no_label(bert):
    shapes = set()
    for seed in range(12):
        batch = films_batch(bert, seed, n_texts=4 + seed)
        assert batch.input_ids.shape[1] % 8 == 0
        assert len(batch.positions) == len(batch.labels) == -(-batch.n_masked // DECODER_CHUNK) * DECODER_CHUNK
        assert int((batch.labels != IGNORE_INDEX).sum()) == batch.n_masked
        assert (batch.labels[batch.n_masked :] == IGNORE_INDEX).all()
        shapes |= {logits.shape for logits in PackedMlmForward(bert, 0)(batch)}
    assert shapes == {(DECODER_CHUNK, len(bert.tokenizer))}


def test_a_batch_without_masked_tokens_has_a_loss_and_gradients_of_0(bert):
    pieces = Pieces.of(bert.pieces(films()[:3], 32))
    batch = masked_batch(pieces, range(3), MaskingRule.of(bert, 0.0, whole_words=False), bert.pad_token_id, 0)
    loss, gradients = loss_and_gradients(bert, PackedMlmForward(bert, 0), batch)
    assert (batch.n_masked, float(loss)) == (0, 0.0)
    assert all(not gradient.any() for gradient in gradients.values())
