"""Cached outputs of frozen layers: the same results, as long as the layers stay frozen."""

import functools
import math

import pytest
import torch

from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.errors import RatesError
from finetune_alf.rates import HEAD, FrozenBelow, LayerRates, addresses
from finetune_alf.recipe import GradualUnfreezing
from finetune_alf.train.batches import TokenizedSplit, batches_by_length
from finetune_alf.train.evaluate import evaluate
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.frozen_features import FrozenFeaturesCache
from tiny import N_LAYERS as DEPTH
from tiny import TINY_BERT, task_splits, tiny_recipe, tokenized_split
from tiny_families import N_LAYERS, PACKED, PADDED_ONLY, labels_of, table_of, tiny_encoder

LENGTHS = (5, 1, 22, 9, 9, 2, 14)
FROM_THE_TOP = tuple(reversed(addresses(N_LAYERS)))


def split_of(encoder):
    table = table_of(encoder, LENGTHS)
    return TokenizedSplit(table, labels_of(table))


def cache_of(encoder, forward=PackedForward):
    return FrozenFeaturesCache(forward(encoder.model), encoder.anatomy, encoder.model.config.hidden_size, "fp32")


@pytest.mark.parametrize("level", range(N_LAYERS + 1))
@pytest.mark.parametrize("family", PACKED)
def test_frozen_features_give_the_outputs_of_the_whole_encoder(family, level):
    encoder = tiny_encoder(family)
    encoder.model.eval()
    forward, split = PackedForward(encoder.model), split_of(encoder)
    features = forward.frozen_features(split.table, level, batches_by_length(split.lengths, 3))
    rows = [4, 2, 2, 6, 1]
    with torch.no_grad():
        assert torch.allclose(forward(split.table, rows, features), forward(split.table, rows), rtol=1e-11, atol=1e-12)
    whole, cached = (evaluate(forward, split, "fp32", batch=4, features=given) for given in (None, features))
    assert cached.predictions == whole.predictions
    assert cached.loss == pytest.approx(whole.loss, rel=1e-6)


@pytest.mark.parametrize("level", range(N_LAYERS + 1))
def test_gradients_from_frozen_features_are_those_of_the_whole_encoder(level):
    encoder = tiny_encoder("bert")
    encoder.model.train()  # without dropout
    forward, split = PackedForward(encoder.model), split_of(encoder)
    lowest = level + 1
    found = []
    for features in (None, forward.frozen_features(split.table, level, batches_by_length(split.lengths, 3))):
        encoder.model.zero_grad()
        for index, names in enumerate(encoder.anatomy.parameters.values()):
            for name in names:
                encoder.model.get_parameter(name).requires_grad_(index >= lowest)
        forward(split.table, [4, 2, 6], features).square().sum().backward()
        found.append({name: p.grad.clone() for name, p in encoder.model.named_parameters() if p.grad is not None})
    encoder.model.requires_grad_(True)
    assert found[0].keys() == found[1].keys()
    bound = 1e-12 * max(gradient.abs().max() for gradient in found[0].values())
    assert all((found[1][name] - found[0][name]).abs().max() <= bound for name in found[0])


@pytest.mark.parametrize("level", range(N_LAYERS + 1))
@pytest.mark.parametrize("family", PACKED)
def test_frozen_features_have_no_dropout_and_change_no_later_mask(family, level):
    encoder = tiny_encoder(family, hidden=0.5, attention=0.5, head=0.5)
    forward, split = PackedForward(encoder.model), split_of(encoder)
    batches = batches_by_length(split.lengths, 3)
    encoder.model.eval()
    expected = forward.frozen_features(split.table, level, batches).values
    encoder.model.train()
    torch.manual_seed(1)
    undisturbed = PackedForward(encoder.model)(split.table, range(7))
    torch.manual_seed(1)
    values = forward.frozen_features(split.table, level, batches).values
    assert torch.equal(values, expected)
    assert not values.requires_grad
    assert torch.equal(forward(split.table, range(7)), undisturbed)  # the same masks as without frozen features
    assert all(module.training for module in encoder.model.modules())


def test_layers_below_the_lowest_trainable_address_are_cached_and_none_where_embeddings_are_trainable():
    encoder = tiny_encoder("bert")
    cache, split = cache_of(encoder), split_of(encoder)
    for count, level in zip(range(1, N_LAYERS + 2), range(N_LAYERS, -1, -1), strict=True):
        cache.set_trainable(set(FROM_THE_TOP[:count]))
        assert cache.of(split).level == level
    cache.set_trainable(set(addresses(N_LAYERS)))
    assert cache.of(split) is None


def test_frozen_layers_above_a_trainable_address_are_not_cached():
    encoder = tiny_encoder("bert")
    cache = cache_of(encoder)
    cache.set_trainable({"layer.1"})
    assert cache.of(split_of(encoder)).level == 1


def test_features_at_the_top_are_one_row_a_text_and_below_it_one_a_token():
    encoder = tiny_encoder("electra")
    cache, split = cache_of(encoder), split_of(encoder)
    cache.set_trainable({HEAD})
    assert cache.of(split).values.shape == (len(LENGTHS), 8)
    cache.set_trainable({"layer.2", HEAD})
    assert cache.of(split).values.shape == (sum(LENGTHS), 8)


def test_features_are_cached_until_the_lowest_trainable_address_moves():
    encoder = tiny_encoder("bert")
    cache, split, other = cache_of(encoder), split_of(encoder), split_of(encoder)
    cache.set_trainable({"layer.2", HEAD})
    kept = cache.of(split)
    assert cache.of(other) is not kept
    cache.set_trainable({"layer.2"})
    assert cache.of(split) is kept
    cache.set_trainable({"layer.1", "layer.2", HEAD})
    assert cache.of(split).level == 1
    cache.set_trainable({"layer.2", HEAD})
    assert cache.of(split) is not kept


@pytest.mark.parametrize(("trainable", "n_rows"), [({HEAD}, len(LENGTHS)), ({"layer.2", HEAD}, sum(LENGTHS))])
def test_features_larger_than_the_limit_are_not_cached(trainable, n_rows, monkeypatch):
    encoder = tiny_encoder("bert")
    n_bytes = 4 * n_rows * 8
    for limit, is_cached in ((n_bytes, True), (n_bytes - 1, False)):
        monkeypatch.setattr("finetune_alf.train.frozen_features.MAX_FEATURES_BYTES", limit)
        cache = cache_of(encoder)
        cache.set_trainable(trainable)
        assert (cache.of(split_of(encoder)) is not None) == is_cached


@pytest.mark.parametrize("family", ["bert", *PADDED_ONLY])
def test_the_padded_forward_pass_has_no_frozen_features(family):
    encoder = tiny_encoder(family)
    cache = cache_of(encoder, PaddedForward)
    cache.set_trainable({HEAD})
    assert cache.of(split_of(encoder)) is None


def curves(result):
    return [(record.train_loss, record.validation_loss, record.validation_accuracy) for record in result.epochs]


def fit_by(plan, encoder, **changes):
    """Fit by a plan of PLANS; the one in micro-batches has some of three texts."""
    recipe = tiny_recipe(epochs=DEPTH + 2, **PLANS[plan], **changes)
    micro_batch = 3 if plan.endswith("in micro-batches") else None
    return fit(encoder, task_splits(encoder), recipe, seed=1, micro_batch=micro_batch)


def without_cache(monkeypatch):
    monkeypatch.setattr("finetune_alf.train.frozen_features.MAX_FEATURES_BYTES", 0)


PLANS = {
    "head only": {"rates": FrozenBelow(n_frozen="all", rate=1e-2, head=1e-2)},
    "top layer": {"rates": FrozenBelow(n_frozen=2, rate=1e-2)},
    "only embeddings frozen": {"rates": FrozenBelow(n_frozen=0, rate=1e-2)},
    "gradual unfreezing": {"unfreezing": GradualUnfreezing()},
    "gradual unfreezing, the best kept": {"unfreezing": GradualUnfreezing(), "keep": "best"},
    "gradual unfreezing in micro-batches": {"unfreezing": GradualUnfreezing()},
    "gradual unfreezing of a frozen bottom": {
        "rates": FrozenBelow(n_frozen=1, rate=1e-2),
        "unfreezing": GradualUnfreezing(every_epochs=2),
    },
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("frozen_dropout", ["on", "off"])
def test_a_fit_with_cached_features_is_the_fit_without(loaded_without_dropout, plan, frozen_dropout, monkeypatch):
    encoder = loaded_without_dropout
    kept = fit_by(plan, encoder, frozen_dropout=frozen_dropout)
    without_cache(monkeypatch)
    plain = fit_by(plan, encoder, frozen_dropout=frozen_dropout)
    assert kept.predictions == plain.predictions
    assert kept.kept_epoch == plain.kept_epoch
    for one, other in zip(curves(kept), curves(plain), strict=True):
        assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("plan", PLANS)
def test_evaluation_from_cached_features_leaves_training_as_it_is_bit_for_bit(loaded, plan, monkeypatch):
    kept = fit_by(plan, loaded)
    without_cache(monkeypatch)
    plain = fit_by(plan, loaded)
    assert [record.train_loss for record in kept.epochs] == [record.train_loss for record in plain.epochs]
    assert [r.validation_loss for r in kept.epochs] == pytest.approx(
        [r.validation_loss for r in plain.epochs], rel=1e-5
    )


@pytest.mark.parametrize("plan", PLANS)
def test_without_dropout_frozen_dropout_changes_nothing_but_the_name_in_the_result(loaded_without_dropout, plan):
    encoder = loaded_without_dropout
    on, off = (fit_by(plan, encoder, frozen_dropout=wanted) for wanted in ("on", "off"))
    assert (on.frozen_dropout, off.frozen_dropout) == ("on", "off")
    assert on.predictions == off.predictions
    for one, other in zip(curves(on), curves(off), strict=True):
        assert one == pytest.approx(other, rel=1e-5)


@functools.cache
def with_dropout_below_the_head(family):
    """Load an encoder with dropout in its layers and none in its head."""
    probabilities = {"hidden_dropout_prob": 0.4, "attention_probs_dropout_prob": 0.4}
    no_head = {"classifier_dropout": 0.0, "classifier_dropout_prob": 0.0}
    config = {**TINY_BERT, **probabilities, **no_head, "initializer_range": 0.5, "model_type": family}
    return load_encoder(RandomEncoder(kind="random", config=config, seed=1), 2)


def features_loss(encoder, frozen_dropout):
    """Return training and validation loss of a step of feature extraction at a negligible rate."""
    recipe = tiny_recipe(
        epochs=1,
        batch=8,
        rates=FrozenBelow(n_frozen="all", rate=0, head=1e-12),
        frozen_dropout=frozen_dropout,
    )
    (record,) = fit(encoder, task_splits(encoder), recipe, seed=1).epochs
    return record.train_loss, record.validation_loss


@pytest.mark.parametrize("family", ["bert", "albert"])
def test_with_frozen_dropout_on_dropout_applies_below_the_head_in_training(family):
    train, validation = features_loss(with_dropout_below_the_head(family), "on")
    assert not math.isclose(train, validation, rel_tol=1e-4)


def test_with_frozen_dropout_off_the_training_loss_is_the_evaluation_loss():
    train, validation = features_loss(with_dropout_below_the_head("bert"), "off")
    assert train == pytest.approx(validation, rel=1e-6)


@pytest.mark.parametrize("family", ["bert", "albert"])
def test_frozen_dropout_means_the_same_where_no_features_are_cached(family, monkeypatch):
    without_cache(monkeypatch)
    train, validation = features_loss(with_dropout_below_the_head(family), "off")
    assert train == pytest.approx(validation, rel=1e-6)


def test_trainable_layers_keep_their_dropout_over_frozen_layers_without(loaded):
    recipe = tiny_recipe(epochs=1, batch=8, rates=FrozenBelow(n_frozen=2, rate=1e-12), frozen_dropout="off")
    one, other = (fit(loaded, task_splits(loaded), recipe, seed=seed).epochs[0] for seed in (1, 2))
    assert not math.isclose(one.train_loss, one.validation_loss, rel_tol=1e-4)
    assert one.train_loss != other.train_loss


def test_features_are_computed_once_a_split(loaded, monkeypatch):
    levels = []
    computed = PackedForward.frozen_features

    def counting(self, table, level, batches):
        levels.append(level)
        return computed(self, table, level, batches)

    monkeypatch.setattr(PackedForward, "frozen_features", counting)
    train, validation, scored = (tokenized_split(loaded) for _ in range(3))
    splits = type(task_splits(loaded))(train, validation, scored)
    recipe = tiny_recipe(epochs=4, rates=FrozenBelow(n_frozen="all", rate=0, head=1e-2), frozen_dropout="off")
    fit(loaded, splits, recipe, seed=1)
    assert levels == [DEPTH] * 3


def test_rates_of_which_none_is_unfrozen_in_the_first_epoch_are_refused(loaded):
    recipe = tiny_recipe(epochs=3, unfreezing=GradualUnfreezing()).with_rates(LayerRates.of(0, [1e-3, 0, 0], 0))
    with pytest.raises(RatesError, match="unfreezing"):
        fit(loaded, task_splits(loaded), recipe, seed=1)
