"""An encoder with adapters built in: another live encoder, beside the bare one."""

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from finetune_alf.encoder.adapters.houlsby import add_bottlenecks
from finetune_alf.encoder.adapters.lora import add_lora, bare_name
from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.initial_weights import Draw, InitialWeights
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD, Address, layer, rate_source
from finetune_alf.rates import adapter as adapter_address
from finetune_alf.recipe import Adapter, HoulsbyAdapter

if TYPE_CHECKING:
    from torch import nn

_NORMS = ("LayerNorm", "RMSNorm")


def with_adapter(encoder: Encoder, adapter: Adapter) -> Encoder:
    """Return a copy of an encoder with an adapter in every layer, its weights as `reset(0)` leaves them.

    It answers as the bare one does until the adapters have learnt something. What learns lies at `adapter.i`: the
    adapter of layer i and, for bottlenecks, that layer's norms (Houlsby et al. 2019, section 2.1). The encoder that
    is given stays as it is. Raises EncoderError where its layers have no place for the adapter.
    """
    if encoder.adapter is not None:
        raise EncoderError(
            f"{encoder.identity}: must be without an adapter, but has {encoder.adapter.kind}. Load the encoder again."
        )
    model = copy.deepcopy(encoder.model)
    norms = _norms(model) if isinstance(adapter, HoulsbyAdapter) else set()
    new = add_bottlenecks(model, adapter) if isinstance(adapter, HoulsbyAdapter) else add_lora(model, adapter)
    names = {bare_name(name): name for name, _ in model.named_parameters()}
    adapted = replace(
        encoder,
        model=model,
        anatomy=_anatomy(encoder.anatomy, names, norms, new),
        initial_weights=_initial_weights(encoder.initial_weights, names, new),
        adapter=adapter,
    )
    adapted.reset(0)
    return adapted


def _norms(model: "nn.Module") -> set[str]:
    modules = [(path, module) for path, module in model.named_modules() if type(module).__name__.endswith(_NORMS)]
    return {f"{path}.{name}" for path, module in modules for name, _ in module.named_parameters(recurse=False)}


def _anatomy(
    bare: Anatomy, names: Mapping[str, str], norms: Collection[str], new: Sequence[Mapping[str, Draw]]
) -> Anatomy:
    """Lay the encoder out anew: bodies as before but for the layers' norms, then adapters, then heads."""
    layers = {layer(index): adapter_address(index) for index in range(len(new))}
    moved = {address: [name for name in bare.parameters[address] if name in norms] for address in layers}
    laid_out: dict[Address, tuple[str, ...]] = {
        address: tuple(names[name] for name in of_one if name not in moved.get(address, ()))
        for address, of_one in bare.parameters.items()
    }
    heads = {address: laid_out.pop(address) for address in bare.addresses if rate_source(address) == HEAD}
    adapters = {
        layers[address]: (*added, *(names[name] for name in moved[address]))
        for address, added in zip(layers, new, strict=True)
    }
    return Anatomy({**laid_out, **adapters, **heads})


def _initial_weights(
    bare: InitialWeights, names: Mapping[str, str], new: Sequence[Mapping[str, Draw]]
) -> InitialWeights:
    return replace(
        bare,
        loaded={names[name]: tensor for name, tensor in bare.loaded.items()},
        drawn={name: rule for of_one in new for name, rule in of_one.items()},
    )
