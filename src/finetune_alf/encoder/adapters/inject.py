"""Add adapters to a copy of an encoder, and merge those that can be."""

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from finetune_alf.encoder.adapters.houlsby import add_bottlenecks
from finetune_alf.encoder.adapters.lora import add_lora, merge_lora, name_without_peft
from finetune_alf.encoder.anatomy import Anatomy, anatomy_of
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.initial_weights import Initializer, InitialWeights
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD, Address, layer, rate_source
from finetune_alf.rates import adapter as adapter_address
from finetune_alf.recipe import Adapter, HoulsbyAdapter, LoraAdapter

if TYPE_CHECKING:
    from torch import nn

_NORMS = ("LayerNorm", "RMSNorm")


def with_adapter(encoder: Encoder, adapter: Adapter) -> Encoder:
    """Return a copy of an encoder with an adapter in every layer, its weights as `reset(0)` leaves them.

    Its outputs are those of the original until the adapters are trained. The parameters at `adapter.i` are those of
    the adapter in layer i and, for bottlenecks, of that layer's norms (Houlsby et al. 2019, section 2.1). Raises
    EncoderError when the encoder has an adapter already, or its layers lack the modules to adapt.
    """
    if encoder.adapter is not None:
        raise EncoderError(
            f"{encoder.identity}: must have no adapter, but got {encoder.adapter.kind}. Load the encoder again."
        )
    model = copy.deepcopy(encoder.model)
    norms = _norms(model) if isinstance(adapter, HoulsbyAdapter) else set()
    new = add_bottlenecks(model, adapter) if isinstance(adapter, HoulsbyAdapter) else add_lora(model, adapter)
    names = {name_without_peft(name): name for name, _ in model.named_parameters()}
    adapted = replace(
        encoder,
        model=model,
        anatomy=_anatomy(encoder.anatomy, names, norms, new),
        initial_weights=_initial_weights(encoder.initial_weights, names, new),
        adapter=adapter,
    )
    adapted.reset(0)
    return adapted


def merged(encoder: Encoder) -> Encoder:
    """Return a copy of an encoder without its LoRA adapter, whose updates are added to the weights; another as it is.

    Its outputs are the same but for rounding. `reset` restores the weights from before the adapter.
    """
    if not isinstance(encoder.adapter, LoraAdapter):
        return encoder
    model = copy.deepcopy(encoder.model)
    merge_lora(model)
    before = encoder.initial_weights
    loaded = {name_without_peft(name): tensor for name, tensor in before.loaded.items()}
    initial_weights = replace(before, loaded=loaded, adapters={})
    return replace(encoder, model=model, anatomy=anatomy_of(model), initial_weights=initial_weights, adapter=None)


def _norms(model: "nn.Module") -> set[str]:
    modules = [(path, module) for path, module in model.named_modules() if type(module).__name__.endswith(_NORMS)]
    return {f"{path}.{name}" for path, module in modules for name, _ in module.named_parameters(recurse=False)}


def _anatomy(
    before: Anatomy, names: Mapping[str, str], norms: Collection[str], new: Sequence[Mapping[str, Initializer]]
) -> Anatomy:
    """Return the addresses of the adapted model: embeddings and layers without their norms, adapters, then heads."""
    layers = {layer(index): adapter_address(index) for index in range(len(new))}
    moved = {address: [name for name in before.parameters[address] if name in norms] for address in layers}
    assigned: dict[Address, tuple[str, ...]] = {
        address: tuple(names[name] for name in some if name not in moved.get(address, ()))
        for address, some in before.parameters.items()
    }
    heads = {address: assigned.pop(address) for address in before.addresses if rate_source(address) == HEAD}
    adapters = {
        layers[address]: (*added, *(names[name] for name in moved[address]))
        for address, added in zip(layers, new, strict=True)
    }
    return Anatomy({**assigned, **adapters, **heads})


def _initial_weights(
    before: InitialWeights, names: Mapping[str, str], new: Sequence[Mapping[str, Initializer]]
) -> InitialWeights:
    return replace(
        before,
        loaded={names[name]: tensor for name, tensor in before.loaded.items()},
        adapters={name: initializer for in_layer in new for name, initializer in in_layer.items()},
    )
