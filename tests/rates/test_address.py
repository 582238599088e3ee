"""Addresses of adapters and task heads, and their rates."""

import pytest

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.errors import RatesError
from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, adapter, addresses, layer, rate_source, task_head

RATES = LayerRates.of(1e-5, [2e-5, 3e-5], 4e-5)


def test_adapters_and_task_heads_have_the_rate_of_layer_and_head():
    assert rate_source(adapter(11)) == layer(11)
    assert rate_source(task_head("sst5")) == HEAD
    assert [rate_source(address) for address in addresses(3)] == list(addresses(3))


def test_rates_know_those_of_adapters_and_task_heads_and_list_their_own_alone():
    assert [RATES[address] for address in (adapter(1), task_head("sst5"))] == [3e-5, 4e-5]
    assert list(RATES) == list(addresses(2))


@pytest.mark.parametrize("address", ["adapter.2", "adapter.x", "pooler", "layer.2", "heads"])
def test_an_address_without_a_rate_is_a_key_error(address):
    assert address not in RATES
    with pytest.raises(KeyError):
        RATES[address]


def test_each_task_head_has_the_rate_of_the_head():
    anatomy = Anatomy({**dict.fromkeys(addresses(2), ()), task_head("a"): (), task_head("b"): ()})
    assert anatomy.rates(RATES) == {**RATES, "head.a": 4e-5, "head.b": 4e-5}


def test_an_adapter_has_the_rate_of_its_frozen_layer():
    anatomy = Anatomy(dict.fromkeys([EMBEDDINGS, layer(0), layer(1), adapter(0), adapter(1), HEAD], ()))
    assert anatomy.n_layers == 2
    assert anatomy.rates(RATES) == {
        EMBEDDINGS: 0, layer(0): 0, layer(1): 0, adapter(0): 2e-5, adapter(1): 3e-5, HEAD: 4e-5,
    }  # fmt: skip


def test_rates_for_another_depth_are_refused():
    with pytest.raises(RatesError, match=r"must be for 1 layers, as the encoder has, but got 2"):
        Anatomy(dict.fromkeys(addresses(1), ())).rates(RATES)
