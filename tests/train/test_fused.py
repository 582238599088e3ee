"""Members of a fused fit get the results of their own fits."""

import functools

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.metrics import sample_metric
from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, addresses
from finetune_alf.recipe import SGD, AdamW, EarlyStopping, GradualUnfreezing, LinearCurve
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.evaluate import evaluate, evaluate_fused, member_losses
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.fused import FusedForward
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.fused import fit_fused, fusion_key
from finetune_alf.train.optimizer import LayerwiseOptimizer
from finetune_alf.train.parts import TaskSplits
from finetune_alf.train.stacked_optimizer import StackedOptimizer
from tiny import N_LAYERS, load_tiny, task_splits, tiny_recipe, tokenized_split
from tiny_families import PACKED, table_of, tiny_encoder

EXACT = 1e-10  # fp64, relative to the largest weight or gradient
ROUNDED = 1e-5  # losses, which are summed in fp32 either way
MOVED = 5e-3  # relative; AdamW divides small gradients by their size, so that rounding moves weights
N_STEPS = 4
a_rate = st.sampled_from([0.0, 1e-4, 1e-3, 1e-2])
some_rates = st.builds(
    lambda body, head: LayerRates.of(body[0], body[1:], head),
    st.lists(a_rate, min_size=N_LAYERS + 1, max_size=N_LAYERS + 1),
    st.sampled_from([1e-3, 1e-2]),
)
members = st.lists(some_rates, min_size=2, max_size=4)
fast = settings(max_examples=8, deadline=None)
HIGH = LayerRates.of(1e-2, [1e-2] * N_LAYERS, 1e-2)
TOP = LayerRates.of(0.0, [0.0, 0.0, 1e-2], 1e-2)
HEAD_ONLY = LayerRates.of(0.0, [0.0] * N_LAYERS, 1e-2)
RAGGED = LayerRates.of(0.0, [1e-3, 0.0, 1e-2], 1e-3)
SLOW = LayerRates.of(0.0, [0.0] * N_LAYERS, 1e-9)  # its loss does not fall


def snapshot(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


def reset(encoder):
    encoder.reset(3)
    torch.manual_seed(4)  # a head's dropout
    encoder.model.train()


def weights_alone(encoder, recipe, rates):
    """Return the weights after N_STEPS steps, of one member by itself."""
    reset(encoder)
    split, forward = tokenized_split(encoder), PackedForward(encoder.model, 5)
    optimizer = LayerwiseOptimizer(encoder.model, encoder.anatomy, recipe, rates, N_STEPS)
    for step in range(N_STEPS):
        optimizer.start_epoch(step)
        rows = range(step, 16, 3)
        F.cross_entropy(forward(split.table, rows), split.labels[rows]).backward()
        optimizer.step(step)
    return snapshot(encoder)


def fused_weights(encoder, recipe, rates):
    """Return every member's weights after the same steps, taken by a fused fit."""
    reset(encoder)
    split, forward = tokenized_split(encoder), FusedForward(encoder.model, 5)
    optimizer = StackedOptimizer(encoder.model, encoder.anatomy, recipe, rates, N_STEPS)
    for step in range(N_STEPS):
        optimizer.start_epoch(step)
        rows = range(step, 16, 3)
        (batch,) = forward.prepare(split.table, [rows])
        logits = forward.fused(optimizer.weights(), split.table, batch)
        F.cross_entropy(logits.flatten(0, 1), split.labels[rows].repeat(len(rates)), reduction="none").view(
            len(rates), -1
        ).mean(1).sum().backward()
        optimizer.step(step)
    shared = snapshot(encoder)
    return [shared | {name: own[0].clone() for name, own in optimizer.weights_of(k).items()} for k in range(len(rates))]


@functools.cache
def wide():
    """A tiny encoder with dropout everywhere, in fp64."""
    encoder = load_tiny()
    encoder.model.double()
    return encoder


def assert_equal_weights(one, other, exact=EXACT):
    assert one.keys() == other.keys()
    for name in one:
        assert (one[name] - other[name]).abs().max() <= exact, name


OPTIMIZERS = [
    AdamW(),
    SGD(momentum=0.9, nesterov=True),
    *(
        pytest.param(spec, marks=pytest.mark.long)
        for spec in (AdamW(weight_decay=0.1, betas=(0.8, 0.9)), SGD(), SGD(momentum=0.9, weight_decay=0.1))
    ),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda spec: "-".join(map(str, spec.model_dump().values())))
@fast
@given(rates=members, unfreezing=st.sampled_from([None, GradualUnfreezing()]), clip=st.sampled_from([None, 0.1]))
def test_members_take_the_steps_that_each_takes_alone(optimizer, rates, unfreezing, clip):
    recipe = tiny_recipe(
        optimizer=optimizer, clip=clip, curve=LinearCurve(), **({"unfreezing": unfreezing} if unfreezing else {})
    )
    for own, weights in zip(rates, fused_weights(wide(), recipe, rates), strict=True):
        assert_equal_weights(weights, weights_alone(wide(), recipe, own))


@fast
@given(rates=members)
def test_frozen_weights_of_a_member_stay_bit_for_bit_and_trainable_ones_change(rates):
    encoder = wide()
    reset(encoder)
    before = snapshot(encoder)
    recipe = tiny_recipe(optimizer=AdamW(weight_decay=0.1))
    for own, weights in zip(rates, fused_weights(encoder, recipe, rates), strict=True):
        for address, names in encoder.anatomy.parameters.items():
            assert all(torch.equal(before[name], weights[name]) for name in names) == (own[address] == 0), address
    assert all(torch.equal(tensor, before[name]) for name, tensor in snapshot(encoder).items())  # shared by the next


def stacked(encoder, n_members, names):
    generator = torch.Generator().manual_seed(6)
    weights = {}
    for name in names:
        shared = encoder.model.get_parameter(name).detach()
        offset = torch.randn(n_members, *shared.shape, generator=generator, dtype=shared.dtype)
        weights[name] = (shared + 0.1 * offset).requires_grad_()
    return weights


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("lowest", [EMBEDDINGS, "layer.1", HEAD])
@pytest.mark.parametrize("family", PACKED)
def test_one_fused_forward_pass_gives_the_logits_and_gradients_of_each_member(family, lowest, training):
    encoder = tiny_encoder(family, hidden=0.2, attention=0.2, head=0.2)
    trainable = addresses(N_LAYERS)[addresses(N_LAYERS).index(lowest) :]
    table = table_of(encoder, [3, 22, 1, 9, 9, 8])
    weights = stacked(encoder, 3, [name for address in trainable for name in encoder.anatomy.parameters[address]])
    encoder.model.train(training)
    torch.manual_seed(4)
    forward = FusedForward(encoder.model, 5)
    logits = forward.fused(weights, table, forward.prepare(table, [range(6)])[0])
    labels = torch.arange(6) % logits.shape[-1]
    member_losses(logits, labels).sum().backward()
    for member in range(3):
        torch.manual_seed(4)
        own = {name: tensor[member].detach().clone().requires_grad_() for name, tensor in weights.items()}
        with torch.nn.utils.stateless._reparametrize_module(encoder.model, own):
            logits_alone = PackedForward(encoder.model, 5)(table, range(6))
        F.cross_entropy(logits_alone.float(), labels, reduction="sum").backward()
        assert (logits[member] - logits_alone).abs().max() <= EXACT * logits_alone.abs().max()
        assert_equal_weights(
            {name: tensor.grad for name, tensor in own.items()},
            {name: tensor.grad[member] for name, tensor in weights.items()},
            EXACT * max(tensor.grad.abs().max() for tensor in own.values()),
        )


def both(encoder, splits, recipe, rates, stop=lambda number, metrics: True, **changes):
    """Return the results of a fused fit and of each member's own fit, with the same stopping rule."""
    recipes = [recipe.with_rates(own) for own in rates]
    fused = dict(fit_fused(encoder, splits, recipes, 7, report=stop, **changes))
    solo = [
        fit(encoder, splits, own, 7, report=lambda metrics, number=number: stop(number, metrics), **changes)
        for number, own in enumerate(recipes)
    ]
    assert sorted(fused) == list(range(len(rates)))
    return [fused[number] for number in range(len(rates))], solo


TIMES = {"seconds", "started_ms", "loss", "epochs", "movement"}
EPOCH_TIMES = {"seconds", "ended_ms", "train_loss", "validation_loss"}


def assert_same_results(fused, solo, rounded=ROUNDED):
    for one, other in zip(fused, solo, strict=True):
        assert one.model_dump(exclude=TIMES) == other.model_dump(exclude=TIMES)
        assert close(one.loss, other.loss, rounded)
        assert (one.movement is None) == (one.stopped == "diverged")
        assert one.movement == other.movement or one.movement == pytest.approx(other.movement, MOVED, abs=1e-12)
        for here, there in zip(one.epochs, other.epochs, strict=True):
            assert here.model_dump(exclude=EPOCH_TIMES) == there.model_dump(exclude=EPOCH_TIMES)
            assert close(here.train_loss, there.train_loss, rounded)
            assert close(here.validation_loss, there.validation_loss, rounded)


def close(one, other, rounded):
    return one is other is None or one == pytest.approx(other, rel=rounded)


@pytest.mark.parametrize(
    ("changes", "micro_batch"),
    [
        ({"steps_per_epoch": 3}, None),
        ({}, 2),
        pytest.param({"unfreezing": GradualUnfreezing()}, None, marks=pytest.mark.long),
        pytest.param({"optimizer": AdamW(weight_decay=0.1)}, None, marks=pytest.mark.long),
    ],
)
@settings(max_examples=4, deadline=None)
@given(rates=members)
def test_each_result_is_that_of_its_own_fit(changes, micro_batch, rates):
    encoder, recipe = wide(), tiny_recipe(curve=LinearCurve(), **changes)
    assert_same_results(*both(encoder, task_splits(encoder), recipe, rates, micro_batch=micro_batch))


def test_in_fp32_each_result_is_close_to_that_of_its_own_fit(loaded):
    assert_same_results(*both(loaded, task_splits(loaded), tiny_recipe(), [HIGH, TOP, RAGGED, HEAD_ONLY]), rounded=1e-3)


@pytest.mark.parametrize("changes", [{}, {"unfreezing": GradualUnfreezing()}])
def test_frozen_dropout_off_applies_to_all_members_with_the_same_frozen_layers(changes):
    other = LayerRates.of(0.0, [0.0, 0.0, 1e-3], 1e-4)
    recipe = tiny_recipe(frozen_dropout="off", **changes)
    assert_same_results(*both(wide(), task_splits(wide()), recipe, [TOP, other]))


def test_a_member_that_diverges_does_not_change_the_others():
    """A decay of 1e4 takes a third of a weight at a rate of 3e-5 in a step, and lets one at a rate of 1 overflow."""
    calm, wild = LayerRates.of(3e-5, [3e-5] * N_LAYERS, 3e-5), LayerRates.of(0.0, [3e-5, 0.0, 0.0], 1.0)
    top = LayerRates.of(0.0, [0.0, 0.0, 1e-5], 1e-5)
    recipe = tiny_recipe(epochs=5, optimizer=SGD(weight_decay=1e4))
    fused, solo = both(wide(), task_splits(wide()), recipe, [calm, wild, top])
    assert [result.stopped for result in fused] == ["epochs", "diverged", "epochs"]
    assert fused[1].score is None
    assert len(fused[1].epochs) < 5  # the others continue without it
    assert_same_results(fused, solo)


def test_each_member_stops_when_its_own_fit_would_and_the_others_continue():
    def stop(number, record):
        return not (number == 0 and record.epoch == 1)

    recipe = tiny_recipe(epochs=8, early_stopping=EarlyStopping(patience=3, min_delta=0.02))
    fused, solo = both(wide(), task_splits(wide()), recipe, [TOP, SLOW, HIGH, RAGGED], stop)
    assert [result.stopped for result in fused[:2]] == ["pruned", "converged"]
    assert len({len(result.epochs) for result in fused}) == 3
    assert_same_results(fused, solo, rounded=1e-3)  # eight epochs at a high rate amplify rounding errors


def test_results_come_as_members_stop():
    recipe = tiny_recipe(epochs=3)
    recipes = [recipe.with_rates(rates) for rates in (HIGH, TOP, HEAD_ONLY)]
    run = fit_fused(wide(), task_splits(wide()), recipes, 7, report=lambda number, metrics: number != 1)
    assert [(number, len(result.epochs)) for number, result in run] == [(1, 1), (0, 3), (2, 3)]


@pytest.mark.parametrize("keep", ["last", "best"])
def test_the_kept_weights_are_scored_on_another_split(keep):
    encoder, train = wide(), tokenized_split(wide())
    metric = sample_metric("balanced_accuracy", 2)
    splits = TaskSplits(train, tokenized_split(encoder, copies=1), tokenized_split(encoder, copies=3), metric)
    recipe = tiny_recipe(keep=keep, epochs=4, optimizer=SGD(momentum=0.9))
    oscillating = LayerRates.of(0.3, [0.3] * N_LAYERS, 0.3)
    fused, solo = both(encoder, splits, recipe, [HIGH, oscillating, TOP])
    assert_same_results(fused, solo)
    assert len(fused[0].predictions) == 24
    assert (keep == "last") == all(result.kept_epoch == 3 for result in fused)


def test_evaluation_starts_from_features_below_the_lowest_address_trainable_in_any_member(monkeypatch):
    levels = []
    compute = FusedForward.frozen_features

    def note(self, table, level, rows):
        levels.append(level)
        return compute(self, table, level, rows)

    monkeypatch.setattr(FusedForward, "frozen_features", note)
    recipe = tiny_recipe(epochs=3)
    recipes = [recipe.with_rates(rates) for rates in (RAGGED, TOP, HEAD_ONLY)]
    list(fit_fused(wide(), task_splits(wide()), recipes, 7, report=lambda number, metrics: number > metrics.epoch))
    assert levels == [0, 2, 3]  # the lowest member stops after each epoch


def test_fused_evaluation_is_that_of_each_member_alone():
    encoder = tiny_encoder("bert")
    split = split_of_lengths(encoder)
    weights = stacked(encoder, 2, encoder.anatomy.parameters["layer.2"])
    encoder.model.eval()
    evaluations = evaluate_fused(FusedForward(encoder.model), weights, split, "fp32", batch=4, features=None)
    for member in range(2):
        own = {name: tensor[member] for name, tensor in weights.items()}
        with torch.nn.utils.stateless._reparametrize_module(encoder.model, own):
            alone = evaluate(PackedForward(encoder.model), split, "fp32", batch=4)
        assert evaluations[member].predictions == alone.predictions
        assert evaluations[member].loss == pytest.approx(alone.loss, rel=ROUNDED)


def split_of_lengths(encoder):
    table = table_of(encoder, [3, 22, 1, 9, 9, 8])
    return TokenizedSplit(table, torch.arange(6) % 3)


def test_only_recipes_that_differ_in_rates_only_have_the_same_fusion_key():
    encoder, recipe = wide(), tiny_recipe()
    key = functools.partial(fusion_key, encoder)
    assert key(recipe.with_rates(HIGH)) == key(recipe.with_rates(TOP)) is not None
    assert key(recipe) != key(tiny_recipe(epochs=2))
    off = tiny_recipe(frozen_dropout="off")
    assert key(off.with_rates(HIGH)) != key(off.with_rates(TOP))
    assert key(off.with_rates(TOP)) == key(off.with_rates(LayerRates.of(0, [0, 0, 1e-3], 1e-9)))
    frozen_top = LayerRates.of(1e-3, [1e-3, 1e-3, 0], 0)  # in the first epoch
    assert key(tiny_recipe(unfreezing=GradualUnfreezing()).with_rates(frozen_top)) is None
    assert fusion_key(tiny_encoder("albert"), recipe) is None


def test_an_interrupted_fused_fit_restores_the_model():
    words = wide().model.base_model.embeddings.word_embeddings
    whole = words.weight
    run = fit_fused(wide(), task_splits(wide()), [tiny_recipe()] * 2, 7, report=lambda number, metrics: number == 0)
    next(run)
    assert words.weight is not whole
    run.close()
    assert words.weight is whole


def test_in_bf16_each_result_is_close_to_that_of_its_own_fit(loaded):
    fused, solo = both(loaded, task_splits(loaded), tiny_recipe(), [HIGH, TOP, RAGGED], precision="bf16")
    for one, other in zip(fused, solo, strict=True):
        assert [e.train_loss for e in one.epochs] == pytest.approx([e.train_loss for e in other.epochs], abs=1e-2)
