"""The address of every parameter of an encoder.

The body is `model.base_model`. The stack of layers is the body's outermost ModuleList with the most parameters, and
`layer.i` is its i-th module. `embeddings` are the body's children with "embed" in their name. `head` is every module
outside the body, and the body's pooler. `OTHER_PARAMETERS` assigns the rest. Each parameter has exactly one address.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune_alf.errors import EncoderError, RatesError
from finetune_alf.rates import EMBEDDINGS, HEAD, POOLER, Address, LayerRates, addresses, is_adapter, layer, rate_source

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


def anatomy_of(model: "nn.Module") -> Anatomy:
    """Assign the parameters of a transformers model, with a head or without, to addresses.

    A weight tied between body and head belongs to the body. Raises EncoderError when there is no stack of layers, and
    when a parameter has no address or two of them in the body.
    """
    body, prefix = _body(model)
    stack, n_layers = _stack(body)
    found = _addresses_by_id(model, prefix, f"{type(body).__name__}:", stack, n_layers)
    assigned: dict[Address, list[str]] = {address: [] for address in addresses(n_layers)}
    faults = []
    for name, parameter in model.named_parameters():
        candidates = found[id(parameter)]
        if len(candidates) == 1:
            assigned[candidates[0]].append(name)
        else:
            faults.append(f"{name} ({' and '.join(candidates) or 'none'})")
    if faults:
        raise EncoderError(
            f"{type(model).__name__}: every parameter must have exactly one address, but got {_first_five(faults)}. "
            f"Addresses are given to {_rule(stack)}."
        )
    return Anatomy({address: tuple(names) for address, names in assigned.items()})


def layers_of(model: "nn.Module") -> "tuple[nn.Module, ...]":
    """Return the modules of the layers, from the input up; raises EncoderError when there is no stack of layers."""
    body, _ = _body(model)
    stack, _ = _stack(body)
    return tuple(body.get_submodule(stack.rstrip(".")).children())


def _body(model: "nn.Module") -> tuple["nn.Module", str]:
    """Return the body, and the prefix of its parameters' names in the model."""
    body = id(getattr(model, "base_model", None))
    for name, module in model.named_modules():
        if id(module) == body:
            return module, f"{name}." if name else ""
    raise EncoderError(
        f"{type(model).__name__}: must be a transformers model with a base_model, but has none. "
        f"Addresses are given to {_rule('base_model')}."
    )


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
            f"{type(body).__name__}: must have a ModuleList of layers, but has none. "
            f"Addresses are given to {_rule('ModuleList')}."
        )
    return best, n_layers


def _addresses_by_id(
    model: "nn.Module", prefix: str, body: str, stack: str, n_layers: int
) -> Mapping[int, tuple[Address, ...]]:
    """Return the addresses of each parameter, by its id; tied parameters have several names."""
    found: dict[int, set[Address]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        candidates = found.setdefault(id(parameter), set())
        if not name.startswith(prefix):
            candidates.add(HEAD)
        else:
            candidates.update(_address(name.removeprefix(prefix), body, stack, n_layers))
    return {key: tuple(_without_tied_head(candidates)) for key, candidates in found.items()}


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


def _without_tied_head(candidates: set[Address]) -> list[Address]:
    return sorted(candidates - {HEAD} or candidates)


def _first_five(faults: list[str]) -> str:
    return ", ".join(faults[:5]) + (f" and {len(faults) - 5} more" if len(faults) > 5 else "")


def _rule(stack: str) -> str:
    return (
        f"the layers ({stack.rstrip('.')}: the outermost ModuleList of base_model with the most parameters), "
        "children of base_model named *embed*, its pooler, all modules outside it (head), "
        "and final norms, relative positions, ALBERT's hidden mapping and DeBERTa's convolution"
    )
