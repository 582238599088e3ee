"""Members of a fused fit learn what each would have learned alone."""

import functools

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import N_LAYERS, fit_texts, labelled, load_tiny, tiny_recipe
from tiny_families import PACKED, table_of, tiny_encoder

from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, addresses
from finetune_alf.recipe import SGD, AdamW, GradualUnfreezing, LinearCurve, Stopping
from finetune_alf.train.batches import Labelled
from finetune_alf.train.evaluate import evaluate, evaluate_together, losses_of
from finetune_alf.train.fit import FitTexts, fit
from finetune_alf.train.forward.members import MembersForward
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.fused import fit_together, likeness
from finetune_alf.train.lr import Pace
from finetune_alf.train.stacked_pace import StackedPace

EXACT = 1e-10  # fp64, relative to the largest weight or gradient
ROUNDED = 1e-5  # losses, which are added up in fp32 on either way
N_STEPS = 4
a_rate = st.sampled_from([0.0, 1e-4, 1e-3, 1e-2])
some_rates = st.builds(
    lambda body, head: LayerRates.of(body[0], body[1:], head),
    st.lists(a_rate, min_size=N_LAYERS + 1, max_size=N_LAYERS + 1),
    st.sampled_from([1e-3, 1e-2]),
)
members = st.lists(some_rates, min_size=2, max_size=4)
few = settings(max_examples=8, deadline=None)
HIGH = LayerRates.of(1e-2, [1e-2] * N_LAYERS, 1e-2)
TOP = LayerRates.of(0.0, [0.0, 0.0, 1e-2], 1e-2)
HEAD_ONLY = LayerRates.of(0.0, [0.0] * N_LAYERS, 1e-2)
RAGGED = LayerRates.of(0.0, [1e-3, 0.0, 1e-2], 1e-3)
WILD = LayerRates.of(0.0, [1e-2, 0.0, 0.0], 1e45)  # its loss is not a number after a step or two
SLOW = LayerRates.of(0.0, [0.0] * N_LAYERS, 1e-9)  # its loss does not fall


def snapshot(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


def reset(encoder):
    encoder.reset(3)
    torch.manual_seed(4)  # a head's dropout
    encoder.model.train()


def alone(encoder, recipe, rates):
    """Return the weights after N_STEPS steps, of one member by itself."""
    reset(encoder)
    split, forward = labelled(encoder), PackedForward(encoder.model, 5)
    pace = Pace(encoder.model, encoder.anatomy, recipe.with_rates(rates), N_STEPS)
    for step in range(N_STEPS):
        pace.start_epoch(step)
        rows = range(step, 16, 3)
        F.cross_entropy(forward(split.table, rows), split.labels[rows]).backward()
        pace.step(step)
    return snapshot(encoder)


def together(encoder, recipe, rates):
    """Return every member's weights after the same steps, taken in lockstep."""
    reset(encoder)
    split, forward = labelled(encoder), MembersForward(encoder.model, 5)
    pace = StackedPace(encoder.model, encoder.anatomy, recipe, rates, N_STEPS)
    for step in range(N_STEPS):
        pace.start_epoch(step)
        rows = range(step, 16, 3)
        logits = forward.together(pace.weights(), split.table, rows)
        F.cross_entropy(logits.flatten(0, 1), split.labels[rows].repeat(len(rates)), reduction="none").view(
            len(rates), -1
        ).mean(1).sum().backward()
        pace.step(step)
    shared = snapshot(encoder)
    return [shared | {name: own[0].clone() for name, own in pace.weights_of(k).items()} for k in range(len(rates))]


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
    AdamW(weight_decay=0.1, betas=(0.8, 0.9)),
    SGD(),
    SGD(momentum=0.9, weight_decay=0.1),
    SGD(momentum=0.9, nesterov=True),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda spec: "-".join(map(str, spec.model_dump().values())))
@few
@given(rates=members, unfreezing=st.sampled_from([None, GradualUnfreezing()]), clip=st.sampled_from([None, 0.1]))
def test_members_take_the_steps_that_each_takes_alone(optimizer, rates, unfreezing, clip):
    recipe = tiny_recipe(
        optimizer=optimizer, clip=clip, curve=LinearCurve(), **({"unfreezing": unfreezing} if unfreezing else {})
    )
    for own, weights in zip(rates, together(wide(), recipe, rates), strict=True):
        assert_equal_weights(weights, alone(wide(), recipe, own))


@few
@given(rates=members)
def test_what_is_frozen_in_a_member_stays_bit_for_bit_and_what_is_open_moves(rates):
    encoder = wide()
    reset(encoder)
    before = snapshot(encoder)
    recipe = tiny_recipe(optimizer=AdamW(weight_decay=0.1))
    for own, weights in zip(rates, together(encoder, recipe, rates), strict=True):
        for address, names in encoder.anatomy.parameters.items():
            assert all(torch.equal(before[name], weights[name]) for name in names) == (own[address] == 0), address
    assert all(torch.equal(tensor, before[name]) for name, tensor in snapshot(encoder).items())  # shared by the next


def stacked(encoder, n_members, names):
    generator = torch.Generator().manual_seed(6)
    weights = {}
    for name in names:
        shared = encoder.model.get_parameter(name).detach()
        noise = torch.randn(n_members, *shared.shape, generator=generator, dtype=shared.dtype)
        weights[name] = (shared + 0.1 * noise).requires_grad_()
    return weights


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("lowest", [EMBEDDINGS, "layer.1", HEAD])
@pytest.mark.parametrize("family", PACKED)
def test_one_forward_pass_gives_what_each_member_gets_alone(family, lowest, training):
    encoder = tiny_encoder(family, hidden=0.2, attention=0.2, head=0.2)
    opened = addresses(N_LAYERS)[addresses(N_LAYERS).index(lowest) :]
    table = table_of(encoder, [3, 22, 1, 9, 9, 8])
    weights = stacked(encoder, 3, [name for address in opened for name in encoder.anatomy.parameters[address]])
    encoder.model.train(training)
    torch.manual_seed(4)
    logits = MembersForward(encoder.model, 5).together(weights, table, range(6))
    labels = torch.arange(6) % logits.shape[-1]
    losses_of(logits, labels).sum().backward()
    for member in range(3):
        torch.manual_seed(4)
        own = {name: tensor[member].detach().clone().requires_grad_() for name, tensor in weights.items()}
        with torch.nn.utils.stateless._reparametrize_module(encoder.model, own):
            answer = PackedForward(encoder.model, 5)(table, range(6))
        F.cross_entropy(answer.float(), labels, reduction="sum").backward()
        assert (logits[member] - answer).abs().max() <= EXACT * answer.abs().max()
        assert_equal_weights(
            {name: tensor.grad for name, tensor in own.items()},
            {name: tensor.grad[member] for name, tensor in weights.items()},
            EXACT * max(tensor.grad.abs().max() for tensor in own.values()),
        )


def both(encoder, texts, recipe, rates, stop=lambda number, record: True, **changes):
    """Return the results of members in lockstep and of each alone, stopped by the same word."""
    recipes = [recipe.with_rates(own) for own in rates]
    fused = dict(fit_together(encoder, texts, recipes, 7, report=stop, **changes))
    solo = [
        fit(encoder, texts, own, 7, report=lambda record, number=number: stop(number, record), **changes)
        for number, own in enumerate(recipes)
    ]
    assert sorted(fused) == list(range(len(rates)))
    return [fused[number] for number in range(len(rates))], solo


TIMES = {"seconds", "started_ms", "loss", "epochs"}
EPOCH_TIMES = {"seconds", "ended_ms", "train_loss", "validation_loss"}


def assert_same_results(fused, solo, rounded=ROUNDED):
    for one, other in zip(fused, solo, strict=True):
        assert one.model_dump(exclude=TIMES) == other.model_dump(exclude=TIMES)
        assert close(one.loss, other.loss, rounded)
        for here, there in zip(one.epochs, other.epochs, strict=True):
            assert here.model_dump(exclude=EPOCH_TIMES) == there.model_dump(exclude=EPOCH_TIMES)
            assert close(here.train_loss, there.train_loss, rounded)
            assert close(here.validation_loss, there.validation_loss, rounded)


def close(one, other, rounded):
    return one is other is None or one == pytest.approx(other, rel=rounded)


@pytest.mark.parametrize(
    "changes", [{}, {"micro_batch": 2}, {"unfreezing": GradualUnfreezing()}, {"optimizer": AdamW(weight_decay=0.1)}]
)
@settings(max_examples=4, deadline=None)
@given(rates=members)
def test_each_result_is_that_of_its_own_fit(changes, rates):
    encoder = wide()
    assert_same_results(*both(encoder, fit_texts(encoder), tiny_recipe(curve=LinearCurve(), **changes), rates))


def test_in_fp32_each_result_is_close_to_that_of_its_own_fit(loaded):
    assert_same_results(*both(loaded, fit_texts(loaded), tiny_recipe(), [HIGH, TOP, RAGGED, HEAD_ONLY]), rounded=1e-3)


@pytest.mark.parametrize("changes", [{}, {"unfreezing": GradualUnfreezing()}])
def test_dropout_left_out_of_a_frozen_bottom_is_left_out_for_all_who_share_it(changes):
    other = LayerRates.of(0.0, [0.0, 0.0, 1e-3], 1e-4)
    recipe = tiny_recipe(frozen_dropout="off", **changes)
    assert_same_results(*both(wide(), fit_texts(wide()), recipe, [TOP, other]))


def test_a_member_that_diverges_leaves_the_others_as_they_are_alone():
    fused, solo = both(wide(), fit_texts(wide()), tiny_recipe(optimizer=SGD()), [HIGH, WILD, TOP])
    assert [result.stopped for result in fused] == ["epochs", "diverged", "epochs"]
    assert fused[1].score is None
    assert_same_results(fused, solo)


def test_each_member_stops_when_it_would_alone_and_the_others_go_on():
    def stop(number, record):
        return not (number == 0 and record.epoch == 1)

    recipe = tiny_recipe(epochs=8, stopping=Stopping(patience=3, min_gain=0.02))
    fused, solo = both(wide(), fit_texts(wide()), recipe, [TOP, SLOW, HIGH, RAGGED], stop)
    assert [result.stopped for result in fused[:2]] == ["pruned", "converged"]
    assert len({len(result.epochs) for result in fused}) == 3
    assert_same_results(fused, solo, rounded=1e-3)  # eight epochs at a high rate make more of what rounding left


def test_results_come_as_members_end():
    recipe = tiny_recipe(epochs=3)
    recipes = [recipe.with_rates(rates) for rates in (HIGH, TOP, HEAD_ONLY)]
    run = fit_together(wide(), fit_texts(wide()), recipes, 7, report=lambda number, record: number != 1)
    assert [(number, len(result.epochs)) for number, result in run] == [(1, 1), (0, 3), (2, 3)]


@pytest.mark.parametrize("keep", ["last", "best"])
def test_what_is_kept_is_scored_on_another_split(keep):
    encoder, train = wide(), labelled(wide())
    texts = FitTexts(train, labelled(encoder, copies=1), labelled(encoder, copies=3), "balanced_accuracy")
    recipe = tiny_recipe(keep=keep, epochs=4, optimizer=SGD(momentum=0.9))
    oscillating = LayerRates.of(0.3, [0.3] * N_LAYERS, 0.3)
    fused, solo = both(encoder, texts, recipe, [HIGH, oscillating, TOP])
    assert_same_results(fused, solo)
    assert len(fused[0].predictions) == 24
    assert (keep == "last") == all(result.kept_epoch == 3 for result in fused)


def test_below_the_lowest_address_open_in_any_member_evaluation_starts_from_what_is_computed_once(monkeypatch):
    levels = []
    compute = MembersForward.prefix

    def note(self, table, level, rows):
        levels.append(level)
        return compute(self, table, level, rows)

    monkeypatch.setattr(MembersForward, "prefix", note)
    recipe = tiny_recipe(epochs=3)
    recipes = [recipe.with_rates(rates) for rates in (RAGGED, TOP, HEAD_ONLY)]
    list(fit_together(wide(), fit_texts(wide()), recipes, 7, report=lambda number, record: number > record.epoch))
    assert levels == [0, 2, 3]  # the lowest member leaves after each epoch


def test_members_are_evaluated_as_each_is_alone():
    encoder = tiny_encoder("bert")
    split = labelled_table(encoder)
    weights = stacked(encoder, 2, encoder.anatomy.parameters["layer.2"])
    encoder.model.eval()
    said = evaluate_together(MembersForward(encoder.model), weights, split, "fp32", batch=4, prefix=None)
    for member in range(2):
        own = {name: tensor[member] for name, tensor in weights.items()}
        with torch.nn.utils.stateless._reparametrize_module(encoder.model, own):
            alone = evaluate(PackedForward(encoder.model), split, "fp32", batch=4)
        assert said[member].predictions == alone.predictions
        assert said[member].loss == pytest.approx(alone.loss, rel=ROUNDED)


def labelled_table(encoder):
    table = table_of(encoder, [3, 22, 1, 9, 9, 8])
    return Labelled(table, torch.arange(6) % 3)


def test_only_recipes_that_agree_in_all_but_rates_are_alike():
    encoder, recipe = wide(), tiny_recipe()
    like = functools.partial(likeness, encoder)
    assert like(recipe.with_rates(HIGH)) == like(recipe.with_rates(TOP)) is not None
    assert like(recipe) != like(tiny_recipe(epochs=2))
    off = tiny_recipe(frozen_dropout="off")
    assert like(off.with_rates(HIGH)) != like(off.with_rates(TOP))
    assert like(off.with_rates(TOP)) == like(off.with_rates(LayerRates.of(0, [0, 0, 1e-3], 1e-9)))
    closed = LayerRates.of(1e-3, [1e-3, 1e-3, 0], 0)  # in the first epoch
    assert like(tiny_recipe(unfreezing=GradualUnfreezing()).with_rates(closed)) is None
    assert likeness(tiny_encoder("albert"), recipe) is None


def test_a_fused_fit_that_breaks_off_leaves_the_model_whole():
    words = wide().model.base_model.embeddings.word_embeddings
    whole = words.weight
    run = fit_together(wide(), fit_texts(wide()), [tiny_recipe()] * 2, 7, report=lambda number, record: number == 0)
    next(run)
    assert words.weight is not whole
    run.close()
    assert words.weight is whole


def test_in_bf16_each_result_is_close_to_that_of_its_own_fit(loaded):
    fused, solo = both(loaded, fit_texts(loaded), tiny_recipe(precision="bf16"), [HIGH, TOP, RAGGED])
    for one, other in zip(fused, solo, strict=True):
        assert [e.train_loss for e in one.epochs] == pytest.approx([e.train_loss for e in other.epochs], abs=1e-2)
