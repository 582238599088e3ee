"""The relative movement of the weights at each address."""

import copy
from unittest.mock import Mock

import pytest
import torch

from finetune_alf.encoder.adapters.inject import with_adapter
from finetune_alf.encoder.movement import mean_sizes, movement, total, weights_at_start
from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, addresses, layer
from finetune_alf.recipe import SGD, AdamW, HoulsbyAdapter
from finetune_alf.seeds import child_seed
from finetune_alf.train.fit import fit
from finetune_alf.train.parts import TaskSplits
from tiny import N_LAYERS, load_tiny, task_splits, tiny_recipe, tokenized_split

ALL = addresses(N_LAYERS)
RATES = LayerRates.of(1e-3, [0.0, 1e-4, 1e-3], 1e-2)


def by_hand(encoder, before, address):
    """Return mean |end - start| / mean |start| of an address; of embedding tables over the rows that changed."""
    moved, sizes = [], []
    for name in encoder.anatomy.parameters[address]:
        end, start = encoder.model.get_parameter(name).detach(), before[name]
        rows = (end != start).any(1) if address == EMBEDDINGS and start.ndim == 2 else slice(None)
        moved.append((end - start)[rows].abs().flatten().double())
        sizes.append(start[rows].abs().flatten().double())
    return (torch.cat(moved).mean() / torch.cat(sizes).mean()).item()


@pytest.mark.parametrize("changes", [{}, {"optimizer": AdamW(weight_decay=0.1)}, {"optimizer": SGD(momentum=0.9)}])
def test_a_fit_tells_the_mean_change_over_the_mean_size_and_0_where_it_is_frozen(loaded, changes):
    loaded.reset(child_seed(1, "head"))
    before = {name: p.detach().clone() for name, p in loaded.model.named_parameters()}
    result = fit(loaded, task_splits(loaded), tiny_recipe(**changes).with_rates(RATES), seed=1)
    assert tuple(result.movement) == ALL
    assert result.movement[layer(0)] == 0.0
    for address in ALL:
        assert result.movement[address] == pytest.approx(by_hand(loaded, before, address), rel=1e-6), address


def test_the_words_that_occur_count_and_the_others_do_not_dilute_the_movement(loaded):
    rates = LayerRates.of(1e-3, [0.0] * N_LAYERS, 0.0)
    result = fit(loaded, task_splits(loaded), tiny_recipe(epochs=1, clip=None).with_rates(rates), seed=1)
    padding = loaded.model.get_input_embeddings().padding_idx
    assert len(tokenized_split(loaded).table.input_ids.unique()) < 30  # of 64 words
    words = {"words": torch.full((64, 4), 0.5)}
    moved = {"words": words["words"].clone()}
    moved["words"][3:6] += 0.05
    assert movement([EMBEDDINGS], {EMBEDDINGS: words}, moved)[EMBEDDINGS] == pytest.approx(0.1)
    assert padding == 0
    assert result.movement[EMBEDDINGS] > 1e-3


def test_the_movement_is_that_of_the_whole_fit_whatever_epoch_is_kept(loaded):
    train = tokenized_split(loaded)
    splits = TaskSplits(train, tokenized_split(loaded, copies=1), tokenized_split(loaded, copies=3))
    last, best = (
        fit(loaded, splits, tiny_recipe(keep=keep, epochs=4).with_rates(RATES), seed=1) for keep in ("last", "best")
    )
    assert last.movement == best.movement


def test_an_adapter_moves_and_the_weights_around_it_do_not(loaded):
    adapted = with_adapter(copy.deepcopy(loaded), HoulsbyAdapter(kind="houlsby", width=4))
    recipe = tiny_recipe(adapter=adapted.adapter, epochs=1)
    result = fit(adapted, task_splits(adapted), recipe, seed=1)
    assert {address for address, moved in result.movement.items() if moved} == {
        *(f"adapter.{index}" for index in range(N_LAYERS)),
        HEAD,
    }


def test_weights_that_were_0_or_are_no_longer_finite_have_no_relative_movement():
    start = {layer(0): {"zero": torch.zeros(3)}, layer(1): {"wild": torch.ones(3)}, HEAD: {"fine": torch.ones(2)}}
    end = {"zero": torch.ones(3), "wild": torch.tensor([1.0, torch.nan, 1.0]), "fine": torch.tensor([1.0, 2.0])}
    assert movement([EMBEDDINGS, layer(0), layer(1), HEAD], start, end) == {EMBEDDINGS: 0.0, HEAD: 0.5}


def test_the_encoders_own_copy_is_the_start_and_only_new_weights_are_copied():
    encoder = load_tiny()
    encoder.reset(4)
    start = weights_at_start(encoder, dict.fromkeys(ALL, 1.0))
    copied = {name for own in start.values() for name in own} - encoder.initial_weights.loaded.keys()
    assert copied == set(encoder.initial_weights.newly_initialized)
    assert all(
        torch.equal(tensor, encoder.model.get_parameter(name)) for own in start.values() for name, tensor in own.items()
    )


def test_mean_sizes_are_those_of_all_weights_of_an_address(loaded):
    found = mean_sizes(loaded)
    assert tuple(found) == ALL
    own = [loaded.model.get_parameter(name).detach().abs().flatten() for name in loaded.anatomy.parameters[layer(1)]]
    assert found[layer(1)] == pytest.approx(torch.cat(own).mean().item())


@pytest.mark.parametrize(("device", "dtype"), [("mps", torch.float32), ("cpu", torch.float64), ("cuda", torch.float64)])
def test_sums_are_in_fp64_where_the_device_has_it(device, dtype):
    values = Mock(device=torch.device(device))
    total(values)
    values.sum.assert_called_once_with(dtype=dtype)
