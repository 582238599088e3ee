import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finetune_alf.errors import RatesError
from finetune_alf.rates import HEAD, FrozenBelow, LayerRates, UniformRates
from finetune_alf.recipe import SGD, AdamW, EarlyStopping, GradualUnfreezing, LinearCurve
from finetune_alf.train.batches import batches_by_length, shuffled_batches
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.optimizer import LayerwiseOptimizer, param_groups
from finetune_alf.train.parts import TaskSplits
from tiny import N_LAYERS, task_splits, tiny_recipe, tokenized_split


def weights(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


def test_a_fit_learns(loaded):
    result = fit(loaded, task_splits(loaded), tiny_recipe(epochs=20), seed=1)
    assert result.accuracy == 1.0
    assert result.epochs[-1].train_loss < 0.5 * result.epochs[0].train_loss
    assert result.n_steps == 20 * 4


def test_the_same_seed_gives_the_same_fit_and_another_seed_another(loaded):
    first, again, other = (fit(loaded, task_splits(loaded), tiny_recipe(), seed) for seed in (1, 1, 2))
    curve = [[record.train_loss for record in result.epochs] for result in (first, again, other)]
    assert curve[0] == curve[1]
    assert curve[0] != curve[2]


@given(st.lists(st.booleans(), min_size=N_LAYERS + 1, max_size=N_LAYERS + 1))
@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_frozen_addresses_stay_bit_for_bit_and_trainable_ones_change(loaded, has_rate):
    rates = LayerRates.of(*_pick(has_rate), 1e-2)
    loaded.reset(0)
    before = weights(loaded)
    fit(loaded, task_splits(loaded), tiny_recipe(epochs=1).with_rates(rates), seed=3)
    after = weights(loaded)
    for address, names in loaded.anatomy.parameters.items():
        if address == HEAD:
            continue  # drawn anew by each fit
        same = all(torch.equal(before[name], after[name]) for name in names)
        assert same == (rates[address] == 0), address


def _pick(has_rate):
    values = [2e-3 if is_trainable else 0.0 for is_trainable in has_rate]
    return values[0], values[1:]


def test_frozen_addresses_have_no_gradient_and_no_optimizer_state(loaded):
    fit(loaded, task_splits(loaded), tiny_recipe(rates=FrozenBelow(n_frozen=2, rate=1e-3, head=1e-2)), seed=1)
    by_name = dict(loaded.model.named_parameters())
    for address in ("embeddings", "layer.0", "layer.1"):
        assert not any(by_name[name].requires_grad for name in loaded.anatomy.parameters[address])


def test_groups_hold_every_trainable_parameter_once_and_vectors_have_no_weight_decay(loaded):
    loaded.reset(0)
    rates = LayerRates.of(1e-5, [0, 2e-5, 3e-5], 1e-3)
    groups = param_groups(loaded.model, rates, weight_decay=0.01)
    named = {id(parameter): name for name, parameter in loaded.model.named_parameters()}
    grouped = [named[id(parameter)] for group in groups for parameter in group["params"]]
    frozen = loaded.anatomy.parameters["layer.0"]
    assert sorted(grouped) == sorted(set(named.values()) - set(frozen))
    assert {group["address"]: group["lr"] for group in groups} == {a: r for a, r in rates.items() if r > 0}
    assert all((group["weight_decay"] > 0) == (p.ndim > 1) for group in groups for p in group["params"])


def test_rates_of_another_depth_are_refused_with_the_way_out(loaded):
    with pytest.raises(RatesError, match=r"must be for 3 layers.*but got 6.*stretch\(3\)"):
        param_groups(loaded.model, UniformRates(rate=1e-5).at(6))


def test_freezing_everything_is_refused(loaded):
    with pytest.raises(RatesError, match="must be above 0 for at least one address"):
        param_groups(loaded.model, UniformRates(rate=0.0).at(N_LAYERS))


def test_the_rate_of_a_step_is_rates_times_curve(loaded):
    loaded.reset(0)
    recipe = tiny_recipe(curve=LinearCurve(warmup_frac=0.5), optimizer=SGD())
    optimizer = LayerwiseOptimizer(loaded.model, loaded.anatomy, recipe, recipe.rates.at(N_LAYERS), n_steps=10)
    seen = []
    for step in range(10):
        optimizer.step(step)
        seen.append({group["address"]: group["lr"] for group in optimizer.optimizer.param_groups})
    expected = recipe.rates.at(N_LAYERS)
    for step, lrs in enumerate(seen):
        assert lrs == {address: rate * recipe.curve.at(step, 10, recipe.epochs) for address, rate in expected.items()}


def test_gradual_unfreezing_changes_only_unfrozen_addresses(loaded):
    recipe = tiny_recipe(epochs=1, unfreezing=GradualUnfreezing())
    loaded.reset(0)
    before = weights(loaded)
    fit(loaded, task_splits(loaded), recipe, seed=1)
    after = weights(loaded)
    moved = {
        address
        for address, names in loaded.anatomy.parameters.items()
        if any(not torch.equal(before[name], after[name]) for name in names)
    }
    assert moved == {"layer.2", "head"}


@pytest.mark.parametrize("epochs", [1, 3])
def test_addresses_that_are_never_unfrozen_are_not_counted_as_trainable(loaded, epochs):
    result = fit(loaded, task_splits(loaded), tiny_recipe(epochs=epochs, unfreezing=GradualUnfreezing()), seed=1)
    has_rate = loaded.anatomy.addresses[-1 - epochs :]  # the head, and a layer an epoch
    names = [name for address in has_rate for name in loaded.anatomy.parameters[address]]
    assert result.n_trainable_parameters == sum(loaded.model.get_parameter(name).numel() for name in names)


def test_micro_batches_take_the_same_steps(loaded_without_dropout):
    encoder = loaded_without_dropout
    curves = []
    for micro_batch in (None, 1, 3):
        result = fit(encoder, task_splits(encoder), tiny_recipe(batch=8), seed=1, micro_batch=micro_batch)
        curves.append([record.train_loss for record in result.epochs])
    assert curves[1] == pytest.approx(curves[0], rel=1e-5)
    assert curves[2] == pytest.approx(curves[0], rel=1e-5)


def test_a_fit_whose_loss_no_longer_falls_converges(loaded):
    recipe = tiny_recipe(epochs=20, early_stopping=EarlyStopping(patience=2, min_delta=10.0))
    result = fit(loaded, task_splits(loaded), recipe, seed=1)
    assert result.stopped == "converged"
    assert len(result.epochs) == 3


def test_a_loss_of_nan_ends_the_fit_as_diverged(loaded):
    recipe = tiny_recipe(optimizer=SGD(weight_decay=1e38))
    result = fit(loaded, task_splits(loaded), recipe, seed=1)
    assert result.stopped == "diverged"
    assert (result.score, result.accuracy, result.predictions) == (None, None, ())


def test_evaluation_every_few_steps_changes_no_weight(loaded):
    """Sixteen texts in batches of four, evaluated after every step, after two steps, and after each pass."""
    results, found = [], []
    for n_steps, epochs in ((1, 12), (2, 6), (None, 3)):
        recipe = tiny_recipe(steps_per_epoch=n_steps, epochs=epochs, optimizer=AdamW())
        results.append(fit(loaded, task_splits(loaded), recipe, seed=1))
        found.append(weights(loaded))
    assert [result.n_steps for result in results] == [12, 12, 12]
    assert [len(result.epochs) for result in results] == [12, 6, 3]
    assert all(torch.equal(one[name], found[0][name]) for one in found[1:] for name in one)
    by_pass = [results[0].epochs[start : start + 4] for start in (0, 4, 8)]
    means = [sum(epoch.train_loss for epoch in some) / 4 for some in by_pass]
    assert means == pytest.approx([epoch.train_loss for epoch in results[2].epochs], rel=1e-6)


def test_a_fit_is_pruned_when_its_report_returns_false(loaded):
    result = fit(loaded, task_splits(loaded), tiny_recipe(), seed=1, report=lambda metrics: metrics.epoch < 1)
    assert result.stopped == "pruned"
    assert len(result.epochs) == 2


def test_keeping_the_best_epoch_scores_the_weights_of_that_epoch(loaded):
    best = fit(loaded, task_splits(loaded), tiny_recipe(epochs=8, keep="best"), seed=5)
    accuracies = [record.validation_accuracy for record in best.epochs]
    assert best.kept_epoch == accuracies.index(max(accuracies))
    stopped = fit(
        loaded, task_splits(loaded), tiny_recipe(epochs=8), seed=5, report=lambda r: r.epoch < best.kept_epoch
    )
    assert best.predictions == stopped.predictions


def test_the_weights_of_the_kept_epoch_are_scored_on_any_split(loaded):
    splits = task_splits(loaded)
    apart = TaskSplits(splits.train, splits.validation, scored=tokenized_split(loaded))
    fitted = fit(loaded, apart, tiny_recipe(epochs=20, keep="best"), seed=1)
    accuracies = [record.validation_accuracy for record in fitted.epochs]
    assert accuracies.count(max(accuracies)) > 1
    assert fitted.kept_epoch == accuracies.index(max(accuracies))  # of equally good ones the first
    assert fitted.loss == pytest.approx(fitted.epochs[fitted.kept_epoch].validation_loss)
    assert fitted.loss != pytest.approx(fitted.epochs[-1].validation_loss)


def test_the_seed_decides_the_heads_initial_weights(loaded):
    barely = tiny_recipe(epochs=1, optimizer=SGD(), rates=UniformRates(rate=0.0, head=1e-12))
    heads = []
    for seed in (1, 1, 2):
        fit(loaded, task_splits(loaded), barely, seed)
        heads.append(loaded.model.get_parameter("classifier.weight").detach().clone())
    assert torch.allclose(heads[0], heads[1])
    assert not torch.allclose(heads[0], heads[2], atol=1e-3)


def test_the_last_epoch_is_scored_by_default(loaded):
    result = fit(loaded, task_splits(loaded), tiny_recipe(), seed=1)
    assert result.kept_epoch == 2
    assert result.accuracy == result.epochs[-1].validation_accuracy


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 5))
def test_every_epoch_sees_every_text_once_in_an_order_of_its_own(n_texts, batch, epoch):
    rows = [row for some in shuffled_batches(n_texts, batch, 7, epoch) for row in some]
    assert sorted(rows) == list(range(n_texts))
    if n_texts > 8:
        assert rows != [row for some in shuffled_batches(n_texts, batch, 7, epoch + 1) for row in some]


def test_evaluation_covers_every_text_and_batches_similar_lengths(loaded):
    split = tokenized_split(loaded)
    rows = [row for some in batches_by_length(split.lengths, 3) for row in some]
    assert sorted(rows) == list(range(len(split)))
    lengths = [int(split.table.lengths[row]) for row in rows]
    assert lengths == sorted(lengths)


def test_padding_does_not_change_the_logits(loaded_without_dropout):
    encoder = loaded_without_dropout
    encoder.reset(1)
    encoder.model.eval()
    split = tokenized_split(encoder)
    forward = PaddedForward(encoder.model)
    together = forward(split.table, range(8))
    alone = torch.cat([forward(split.table, [row]) for row in range(8)])
    assert torch.allclose(together, alone, atol=1e-6)


def test_bf16_keeps_fp32_weights_and_stays_close(loaded):
    exact = fit(loaded, task_splits(loaded), tiny_recipe(), seed=1, precision="fp32")
    rough = fit(loaded, task_splits(loaded), tiny_recipe(), seed=1, precision="bf16")
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    assert exact.epochs[0].train_loss != rough.epochs[0].train_loss
    assert math.isclose(exact.epochs[0].train_loss, rough.epochs[0].train_loss, rel_tol=0.02)


def test_weight_decay_shrinks_matrices_of_trainable_addresses(loaded):
    recipe = tiny_recipe(epochs=1, rates=UniformRates(rate=1e-3))
    norms = []
    for decay in (0.0, 0.5):
        fit(loaded, task_splits(loaded), recipe.model_copy(update={"optimizer": AdamW(weight_decay=decay)}), seed=1)
        norms.append(loaded.model.get_parameter("bert.encoder.layer.0.output.dense.weight").norm().item())
    assert norms[1] < norms[0]
