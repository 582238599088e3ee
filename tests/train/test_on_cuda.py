"""What holds on a CPU holds on an NVIDIA GPU: `python -m pytest -m cuda`. Exact in fp64, where torch is exact there."""

import contextlib
import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.rates import FrozenBelow, LayerRates, UniformRates
from finetune_alf.recipe import SGD, AdamW, GradualUnfreezing
from finetune_alf.train.batches import TokenizedSplit, batches_by_length
from finetune_alf.train.evaluate import evaluate
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.agreement import is_packed
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.fused import fit_fused
from finetune_alf.train.parts import TaskSplits
from finetune_alf.train.prepared import prepared_steps
from tiny import GOOD, N_LAYERS, TINY_BERT, tiny_recipe, tokenized_split
from tiny_families import (
    FORWARDS,
    PACKED,
    gradients,
    labels_of,
    largest,
    largest_difference,
    table_of,
    tables_of,
    tiny_encoder,
)

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")]

CUDA = torch.device("cuda:0")
EXACT = 1e-11  # relative to the model's largest gradient, in fp64
ROUNDED = 1e-3  # relative, losses of whole fits in fp32
LENGTHS = [5, 1, 22, 9, 9, 2, 14]
HIGH = LayerRates.of(1e-2, [1e-2] * N_LAYERS, 1e-2)
TOP = LayerRates.of(0.0, [0.0, 0.0, 1e-2], 1e-2)
RAGGED = LayerRates.of(0.0, [1e-3, 0.0, 1e-2], 1e-3)


def moved(table):
    types = None if table.token_type_ids is None else table.token_type_ids.to(CUDA)
    return dataclasses.replace(table, input_ids=table.input_ids.to(CUDA), token_type_ids=types)


def model_on_cuda(family, **dropout):
    return copy.deepcopy(tiny_encoder(family, **dropout).model).to(CUDA)


def step(model, kind, table):
    """Return the logits and gradients of one step, on the CPU."""
    model.zero_grad()
    logits = kind(model)(table, range(len(table)))
    F.cross_entropy(logits, labels_of(table).to(logits.device)).backward()
    return logits.detach().cpu(), {name: gradient.cpu() for name, gradient in gradients(model).items()}


def assert_same_step(one, other):
    (logits, grads), (other_logits, other_grads) = one, other
    assert grads.keys() == other_grads.keys()
    assert largest_difference(grads, other_grads) <= EXACT * largest(other_grads)
    assert (logits - other_logits).abs().max() <= EXACT * other_logits.abs().max()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("family", PACKED)
@settings(max_examples=5, deadline=None)
@given(st.data())
def test_the_step_is_that_of_the_cpu_and_of_transformers(family, training, data):
    encoder, model = tiny_encoder(family), model_on_cuda(family)
    encoder.model.train(training)
    model.train(training)
    table = data.draw(tables_of(encoder, padding_inside=True))
    packed, padded = (step(model, kind, moved(table)) for kind in (PackedForward, PaddedForward))
    assert_same_step(packed, padded)
    assert_same_step(packed, step(encoder.model, PackedForward, table))


@pytest.mark.parametrize("family", PACKED)
def test_the_packed_pass_is_taken(family):
    assert is_packed(load_encoder(tiny_encoder(family).spec, 2, str(CUDA)).model)


N_MASKS = 1500


def moments(kind, model, table):
    """Return mean and standard error of the first text's loss and logits, over many dropout masks."""
    model.train()
    with torch.no_grad():
        torch.manual_seed(7)
        logits = kind(model)(table, [0, 1] * N_MASKS)[::2]
    loss = F.cross_entropy(logits, torch.zeros(N_MASKS, dtype=torch.int64, device=CUDA), reduction="none")
    seen = torch.cat([loss[:, None], logits, logits**2], dim=1)
    return seen.mean(0), seen.std(0) / N_MASKS**0.5


@pytest.mark.parametrize("family", PACKED)
@pytest.mark.parametrize(
    "where", [{"hidden": 0.3}, {"attention": 0.5}, {"head": 0.3}], ids=lambda where: next(iter(where))
)
def test_dropout_of_packed_has_the_distribution_of_padded(family, where):
    encoder, model = tiny_encoder(family), model_on_cuda(family, **where, dtype=torch.float32)
    table = moved(table_of(encoder, [9, 6], seed=3))
    (mean, error), (other_mean, other_error) = (moments(kind, model, table) for kind in (PackedForward, PaddedForward))
    assert error.min() > 0  # there is dropout
    assert ((mean - other_mean) / (error**2 + other_error**2).sqrt()).abs().max() < 4


@pytest.mark.parametrize("kind", FORWARDS)
@pytest.mark.parametrize("family", PACKED)
def test_dropout_applies_in_training_only(kind, family):
    model = model_on_cuda(family, hidden=0.3, attention=0.3, head=0.3)
    forward, table = FORWARDS[kind](model), moved(table_of(tiny_encoder(family), LENGTHS))
    with torch.no_grad():
        model.train()
        assert forward(table, [2] * 32).std(0).min() > 1e-3
        model.eval()
        assert forward(table, [2] * 32).std(0).max() < 1e-12


LONG, WIDE = 256, {**TINY_BERT, "hidden_size": 64, "max_position_embeddings": 256}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("lengths", [[LONG] * 4, [LONG, LONG - 9, LONG - 20, LONG - 20]], ids=["equal", "padded"])
def test_training_keeps_nothing_of_the_size_of_the_attention_scores(lengths, precision):
    """Heads are 32 wide: the kernels that keep nothing refuse fewer than 8, and fp64."""
    encoder = load_encoder(RandomEncoder(kind="random", seed=1, config=WIDE), 2, str(CUDA))
    encoder.model.train()
    table = table_of(tiny_encoder("bert"), lengths)
    n_scores, kept = len(lengths) * WIDE["num_attention_heads"] * LONG * LONG, []

    def keep(tensor):
        kept.append(tensor.untyped_storage().nbytes())  # a bias of the size of the scores is a view of few numbers
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"),
    ):
        PackedForward(encoder.model)(moved(table), range(len(lengths)))
    assert kept
    assert max(kept) < n_scores  # bytes: half of the scores in bf16


@pytest.mark.parametrize("level", range(N_LAYERS + 1))
@pytest.mark.parametrize("family", PACKED)
def test_frozen_features_give_the_outputs_of_the_whole_encoder(family, level):
    model, table = model_on_cuda(family).eval(), table_of(tiny_encoder(family), LENGTHS)
    split = TokenizedSplit(moved(table), labels_of(table).to(CUDA))
    forward = PackedForward(model)
    features = forward.frozen_features(split.table, level, batches_by_length(split.lengths, 3))
    with torch.no_grad():
        whole, cached = forward(split.table, [4, 2, 2, 6]), forward(split.table, [4, 2, 2, 6], features)
    assert torch.allclose(cached, whole, rtol=1e-11, atol=1e-12)
    assert (
        evaluate(forward, split, "fp32", batch=4, features=features).predictions
        == evaluate(forward, split, "fp32", batch=4).predictions
    )


def loaded(dropout=0.1, device=CUDA):
    config = {**TINY_BERT, "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    return load_encoder(RandomEncoder(kind="random", config=config, seed=1), 2, str(device))


def splits_on(encoder):
    split = tokenized_split(encoder)
    if next(encoder.model.parameters()).device.type == "cuda":
        split = TokenizedSplit(moved(split.table), split.labels.to(CUDA))
    return TaskSplits(split, split, split)


def curve(result):
    return [loss for epoch in result.epochs for loss in (epoch.train_loss, epoch.validation_loss)]


RECIPES = {
    "all": {"rates": UniformRates(rate=1e-3, head=1e-2)},
    "top layer": {"rates": FrozenBelow(n_frozen=2, rate=1e-2)},
    "feature extraction": {"rates": FrozenBelow(n_frozen="all", rate=0, head=1e-2), "frozen_dropout": "off"},
    "gradual unfreezing, the best kept": {"unfreezing": GradualUnfreezing(), "keep": "best"},
    "sgd": {"optimizer": SGD(momentum=0.9, weight_decay=0.1)},
    "weight decay": {"optimizer": AdamW(weight_decay=0.1), "rates": UniformRates(rate=1e-3)},
}


@pytest.mark.parametrize("micro_batch", [None, 3])
@pytest.mark.parametrize("name", RECIPES)
def test_a_fit_without_dropout_is_that_of_the_cpu(name, micro_batch):
    recipe, found = tiny_recipe(**RECIPES[name]), []
    for device in (CUDA, torch.device("cpu")):
        encoder = loaded(0.0, device)
        found.append(fit(encoder, splits_on(encoder), recipe, 3, micro_batch=micro_batch))
    assert curve(found[0]) == pytest.approx(curve(found[1]), rel=ROUNDED)
    assert found[0].n_steps == found[1].n_steps


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_seed_gives_the_same_fit_but_for_rounding_and_another_seed_another(precision):
    encoder = loaded()
    recipe = tiny_recipe(rates=UniformRates(rate=1e-4, head=1e-3))
    first, again, other = (
        curve(fit(encoder, splits_on(encoder), recipe, seed, precision=precision)) for seed in (1, 1, 2)
    )
    assert first == pytest.approx(again, rel=ROUNDED)
    assert first != pytest.approx(other, rel=ROUNDED)


@pytest.mark.parametrize("optimizer", [AdamW(), SGD(momentum=0.9)], ids=["adamw", "momentum"])
def test_a_restricted_vocabulary_is_trained_as_the_full_one(optimizer, monkeypatch):
    encoder = loaded()
    recipe, found = tiny_recipe(optimizer=optimizer, rates=UniformRates(rate=1e-3), clip=None), []
    found.append(curve(fit(encoder, splits_on(encoder), recipe, 1)))
    monkeypatch.setattr("finetune_alf.train.fit.restrict_vocabulary", lambda *_: contextlib.nullcontext())
    found.append(curve(fit(encoder, splits_on(encoder), recipe, 1)))
    assert found[0] == pytest.approx(found[1], rel=ROUNDED)


def test_frozen_addresses_stay_bit_for_bit():
    encoder = loaded()
    encoder.reset(0)
    before = {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}
    fit(encoder, splits_on(encoder), tiny_recipe(epochs=1).with_rates(RAGGED), 3)
    for address in ("embeddings", "layer.1"):
        names = encoder.anatomy.parameters[address]
        assert all(torch.equal(before[name], encoder.model.get_parameter(name)) for name in names)


def test_without_dropout_fused_fits_have_the_results_of_their_own_fits():
    encoder = loaded(0.0)
    recipes = [tiny_recipe().with_rates(rates) for rates in (HIGH, TOP, RAGGED)]
    fused = dict(fit_fused(encoder, splits_on(encoder), recipes, 7))
    for number, recipe in enumerate(recipes):
        assert curve(fused[number]) == pytest.approx(curve(fit(encoder, splits_on(encoder), recipe, 7)), rel=ROUNDED)


def steps_without_waiting(*args):
    """Yield the steps of an epoch; what waits for the GPU in one raises an error."""
    for batches in prepared_steps(*args):
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield batches
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
@pytest.mark.parametrize(
    "changes", [{}, {"optimizer": SGD(momentum=0.9)}, {"rates": FrozenBelow(n_frozen=1, rate=1e-3)}]
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_step_waits_for_the_gpu(family, changes, precision, monkeypatch):
    encoder = load_encoder(tiny_encoder(family).spec, 2, str(CUDA))
    table = moved(table_of(encoder, [3, 22, 1, 9, 9, 8, 20, 2]))
    split = TokenizedSplit(table, torch.arange(8, device=CUDA) % 2)
    splits, recipe = TaskSplits(split, split, split), tiny_recipe(epochs=2, **changes)
    fit(encoder, splits, recipe, 1, precision=precision)  # libraries load themselves in the first step
    for module in ("fit", "fused"):
        monkeypatch.setattr(f"finetune_alf.train.{module}.prepared_steps", steps_without_waiting)
    assert fit(encoder, splits, recipe, 1, precision=precision).n_steps == 4
    assert [result.n_steps for _, result in fit_fused(encoder, splits, [recipe] * 2, 1, precision=precision)] == [4, 4]


def test_preparing_batches_does_not_wait_for_the_gpu():
    model, table = model_on_cuda("bert"), moved(table_of(tiny_encoder("bert"), LENGTHS))
    split = TokenizedSplit(table, labels_of(table).to(CUDA))
    steps, tasks = [[("task", [3, 1])], [("task", [0, 2, 6])]], {"task": TaskSplits(split, split, split)}
    torch.cuda.set_sync_debug_mode("error")
    try:
        prepared = list(prepared_steps(steps, tasks, {"task": PackedForward(model)}, None))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for (batch,), ((_, rows),) in zip(prepared, steps, strict=True):
        assert torch.equal(batch.chunks[0].labels, split.labels[rows])
        alone = PackedForward(model).prepare(table_of(tiny_encoder("bert"), LENGTHS), [rows])[0]
        assert all(
            torch.equal(here.cpu(), there)
            for here, there in zip(batch.chunks[0].inputs.tensors, alone.tensors, strict=True)
        )


def test_a_wait_is_noticed():
    torch.cuda.set_sync_debug_mode("error")
    try:
        with pytest.raises(RuntimeError, match="synchroniz"):
            torch.ones(1, device=CUDA).item()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_texts_are_classified_as_on_the_cpu():
    logits = []
    for device in (CUDA, torch.device("cpu")):
        encoder = loaded(0.0, device)
        splits = splits_on(encoder)
        encoder.model.eval()
        with torch.inference_mode():
            logits.append(PackedForward(encoder.model)(splits.train.table, range(len(GOOD))).cpu())
    assert torch.allclose(*logits, rtol=1e-4, atol=1e-5)
