"""The address of every parameter of an encoder.

The body is the `base_model` of the transformers model that a model is or holds (`wrapped.py`). The stack of layers is
the body's outermost ModuleList with the most parameters, and `layer.i` is its i-th module. `embeddings` are the body's
children with "embed" in their name. `head` is every module outside the body, and the body's pooler. `OTHER_PARAMETERS`
assigns the rest. What PEFT adds to `layer.i` is at `adapter.i`. Each parameter has exactly one address.
"""

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune_alf.encoder.wrapped import adapter_parameters, find_body, plain_name
from finetune_alf.errors import EncoderError, RatesError
from finetune_alf.rates import (
    EMBEDDINGS,
    HEAD,
    POOLER,
    Address,
    LayerRates,
    adapter,
    addresses,
    is_adapter,
    layer,
    rate_source,
)

if TYPE_CHECKING:
    from torch import nn

OTHER_PARAMETERS = (
    # relative positions, and in DeBERTa v2 the norm over them: every layer reads them (DeBERTa, MPNet)
    (r".*:encoder\.(rel_embeddings|relative_attention_bias)\..*|Deberta.*:encoder\.LayerNorm\..*", "embeddings"),
    # the projection from the width of the embeddings to that of the layers (ALBERT)
    (r".*:encoder\.embedding_hidden_mapping_in\..*", "embeddings"),
    # a convolution, added to the output of the first layer only (DeBERTa v2 xlarge)
    (r".*:encoder\.conv\..*", "first layer"),
    # the norm after the last layer of pre-norm encoders (ModernBERT)
    (r".*:(encoder\.)?(final_)?(norm|layer_?norm|LayerNorm)\..*", "last layer"),
)
"""Regular expressions over `<class of the body>:<name in the body>` and where they belong; the first match counts."""


@dataclass(frozen=True)
class Anatomy:
    """The names, as in `model.named_parameters()`, of the parameters at each address, from the input up."""

    parameters: Mapping[Address, tuple[str, ...]]

    @property
    def n_layers(self) -> int:
        """The number of layers with parameters of their own; ALBERT's shared layers count as one."""
        return sum(address.startswith("layer.") for address in self.parameters)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All addresses, from the input up."""
        return tuple(self.parameters)

    def rates(self, rates: LayerRates) -> dict[Address, float]:
        """Return the rate of each address; a pooler of its own is frozen, and with adapters embeddings and layers are.

        Raises RatesError when the rates are for another depth.
        """
        if rates.n_layers != self.n_layers:
            raise RatesError(
                f"rates: must be for {self.n_layers} layers, as the encoder has, but got {rates.n_layers}. "
                f"For rates at another depth, use LayerRates.stretch({self.n_layers})."
            )
        given = {address: rates[rate_source(address)] for address in self.parameters}
        frozen = {POOLER, *(set(rates) - {HEAD} if any(map(is_adapter, given)) else ())}
        return {address: 0.0 if address in frozen else rate for address, rate in given.items()}

    def with_pooler(self, names: Collection[str]) -> "Anatomy":
        """Return the same anatomy with these parameters of the head at `pooler`, an address of their own."""
        head = tuple(name for name in self.parameters[HEAD] if name not in names)
        return Anatomy({**self.parameters, POOLER: tuple(names), HEAD: head}) if names else self


def anatomy_of(model: "nn.Module") -> Anatomy:
    """Assign the parameters of a transformers model, with a head or without, to addresses.

    The model may be wrapped (DataParallel, DistributedDataParallel, torch.compile, PEFT), or be inside a module of
    another kind. A weight tied between body and head belongs to the body. Raises EncoderError for a decoder, when there
    is no stack of layers, and when a parameter has no address or two of them in the body.
    """
    body = find_body(model, _given_to("base_model"))
    _refuse_decoder(body)
    stack, n_layers = _stack(body)
    _refuse_bottlenecks(body)
    found = _addresses_by_id(body, stack, n_layers)
    assigned: dict[Address, list[str]] = {address: [] for address in _in_order(n_layers)}
    faults = []
    for name, parameter in model.named_parameters():
        candidates = found.get(id(parameter), [HEAD])
        if len(candidates) == 1:
            assigned[candidates[0]].append(name)
        else:
            faults.append(f"{name} ({' and '.join(candidates) or 'none'})")
    if faults:
        raise EncoderError(
            f"{type(model).__name__}: every parameter must have exactly one address, but got {_first_five(faults)}. "
            f"{_given_to(stack)}"
        )
    return Anatomy({each: tuple(names) for each, names in assigned.items() if names or not is_adapter(each)})


def layers_of(model: "nn.Module") -> "tuple[nn.Module, ...]":
    """Return the modules of the layers, from the input up; raises EncoderError when there is no stack of layers."""
    body = find_body(model, _given_to("base_model"))
    stack, _ = _stack(body)
    return tuple(body.get_submodule(stack.rstrip(".")).children())


def _in_order(n_layers: int) -> tuple[Address, ...]:
    """Return all addresses, adapters after the layers, as `with_adapter` has them."""
    *below, head = addresses(n_layers)
    return (*below, *(adapter(index) for index in range(n_layers)), head)


def _stack(body: "nn.Module") -> tuple[str, int]:
    """Return the prefix of the stack of layers inside the body, and the number of layers."""
    from torch import nn

    best, most, outer = "", 0, "\0"
    n_layers = 0
    for name, module in body.named_modules():
        if not isinstance(module, nn.ModuleList) or name.startswith(outer):
            continue
        outer = f"{name}."
        size = sum(parameter.numel() for parameter in module.parameters())
        if size > most:
            best, most, n_layers = outer, size, len(module)
    if not best:
        raise EncoderError(
            f"{type(body).__name__}: must have a ModuleList of layers, but has none. {_given_to('ModuleList')}"
        )
    return best, n_layers


def _addresses_by_id(body: "nn.Module", stack: str, n_layers: int) -> Mapping[int, list[Address]]:
    """Return the addresses of each parameter of the body, by its id; tied parameters have several names."""
    found: dict[int, set[Address]] = {}
    added = adapter_parameters(body)
    for name, parameter in body.named_parameters(remove_duplicate=False):
        places = _address(plain_name(name), f"{type(body).__name__}:", plain_name(stack), n_layers)
        found.setdefault(id(parameter), set()).update(_adapted(places) if id(parameter) in added else places)
    return {key: sorted(candidates) for key, candidates in found.items()}


def _address(path: str, body: str, stack: str, n_layers: int) -> Iterator[Address]:
    """Yield the address of a parameter of the body, if a rule gives it one."""
    child = path.split(".", 1)[0]
    if path.startswith(stack):
        yield layer(int(path.removeprefix(stack).split(".", 1)[0]))
    elif "embed" in child:
        yield EMBEDDINGS
    elif "pooler" in child:
        yield HEAD
    else:
        named = {"embeddings": EMBEDDINGS, "first layer": layer(0), "last layer": layer(n_layers - 1)}
        matches = (named[owner] for pattern, owner in OTHER_PARAMETERS if re.fullmatch(pattern, body + path))
        yield from itertools.islice(matches, 1)


def _adapted(places: Iterator[Address]) -> Collection[Address]:
    """Return the address of an adapter in a layer or the head; one in the embeddings has none."""
    return [
        adapter(int(place.removeprefix("layer."))) if place.startswith("layer.") else place
        for place in places
        if place != EMBEDDINGS
    ]


def _refuse_decoder(body: "nn.Module") -> None:
    from transformers.models.auto import modeling_auto as auto

    kind = getattr(getattr(body, "config", None), "model_type", None)
    if kind in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise EncoderError(
            f"{type(body).__name__}: must be an encoder, but {kind} is a decoder, whose tokens see only those before "
            "them. Rates by layer are for encoders, which have been trained as masked language models."
        )


def _refuse_bottlenecks(body: "nn.Module") -> None:
    if any(type(module).__name__ == "Bottleneck" for module in body.modules()):
        raise EncoderError(
            f"{type(body).__name__}: has bottleneck adapters, whose layers' norms are trained with them. "
            "Pass the Encoder that with_adapter returned, in place of its model."
        )


def _first_five(faults: list[str]) -> str:
    return ", ".join(faults[:5]) + (f" and {len(faults) - 5} more" if len(faults) > 5 else "")


def _given_to(stack: str) -> str:
    return (
        f"Addresses are given to the layers ({stack.rstrip('.')}: the outermost ModuleList of base_model with the most "
        "parameters), children of base_model named *embed*, its pooler, all modules outside it (head), PEFT's adapters "
        "in the layers, and final norms, relative positions, ALBERT's hidden mapping and DeBERTa's convolution."
    )
