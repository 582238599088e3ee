"""Which address every parameter of an encoder lies at.

The rule: the body is `model.base_model`; the stack is the outermost ModuleList of the body that holds most parameters,
and `layer.i` is its i-th module; `embeddings` are the body's children whose name holds "embed"; `head` is everything
outside the body, and its pooler. `OTHER_PARAMETERS` places what remains. Every parameter lies at exactly one address.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune_alf.errors import EncoderError, RatesError
from finetune_alf.rates import EMBEDDINGS, HEAD, Address, LayerRates, addresses, is_adapter, layer, rate_source

if TYPE_CHECKING:
    from torch import nn

OTHER_PARAMETERS = (
    # `<class of the body>:<path inside it>`, where in the body it works
    # relative positions, and in DeBERTa v2 the norm over them; all layers read them (DeBERTa, MPNet)
    (r".*:encoder\.(rel_embeddings|relative_attention_bias)\..*|Deberta.*:encoder\.LayerNorm\..*", "embeddings"),
    # from the width of the embeddings to that of the layers (ALBERT)
    (r".*:encoder\.embedding_hidden_mapping_in\..*", "embeddings"),
    # added to the output of the first layer alone (DeBERTa v2 xlarge)
    (r".*:encoder\.conv\..*", "first layer"),
    # the norm after the last layer of pre-norm encoders (ModernBERT)
    (r".*:(encoder\.)?(final_)?(norm|layer_?norm|LayerNorm)\..*", "last layer"),
)
"""What of a body is neither stack, embeddings nor pooler, and the address that it works for; the first fit counts."""


@dataclass(frozen=True)
class Anatomy:
    """The parameters at each address, by their names in `model.named_parameters()`, from the input up."""

    parameters: Mapping[Address, tuple[str, ...]]

    @property
    def n_layers(self) -> int:
        """How many layers have parameters of their own; ALBERT's shared ones count as one."""
        return sum(address.startswith("layer.") for address in self.parameters)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All addresses, from the input up."""
        return tuple(self.parameters)

    def rates(self, rates: LayerRates) -> dict[Address, float]:
        """Return the rate of each address; where there are adapters, what they stand for is frozen.

        Raises RatesError when the rates are for another depth.
        """
        if rates.n_layers != self.n_layers:
            raise RatesError(
                f"rates: must be for {self.n_layers} layers, as the encoder has, but got {rates.n_layers}. "
                f"To carry them over to another depth, use LayerRates.stretch({self.n_layers})."
            )
        given = {address: rates[rate_source(address)] for address in self.parameters}
        frozen = set(rates) - {HEAD} if any(map(is_adapter, given)) else set()
        return {address: 0.0 if address in frozen else rate for address, rate in given.items()}


def anatomy_of(model: "nn.Module") -> Anatomy:
    """Lay out a transformers encoder, with a classifier or without, by addresses.

    A weight tied between body and head belongs to the body. Raises EncoderError when there is no stack of layers, and
    names each parameter that lies at no address, or at two of the body.
    """
    body, prefix = _body(model)
    stack, n_layers = _stack(body)
    places = _places(model, prefix, f"{type(body).__name__}:", stack, n_layers)
    laid_out: dict[Address, list[str]] = {address: [] for address in addresses(n_layers)}
    faults = []
    for name, parameter in model.named_parameters():
        found = places[id(parameter)]
        if len(found) == 1:
            laid_out[found[0]].append(name)
        else:
            faults.append(f"{name} ({' and '.join(found) or 'none'})")
    if faults:
        raise EncoderError(
            f"{type(model).__name__}: every parameter must lie at exactly one address, but got {_few(faults)}. "
            f"The rule knows {_looked_for(stack)}."
        )
    return Anatomy({address: tuple(names) for address, names in laid_out.items()})


def layers_of(model: "nn.Module") -> "tuple[nn.Module, ...]":
    """Return the modules of the layers, from the input up; EncoderError when there is no stack of them."""
    body, _ = _body(model)
    stack, _ = _stack(body)
    return tuple(body.get_submodule(stack.rstrip(".")).children())


def _body(model: "nn.Module") -> tuple["nn.Module", str]:
    body = id(getattr(model, "base_model", None))
    for name, module in model.named_modules():
        if id(module) == body:
            return module, f"{name}." if name else ""
    raise EncoderError(
        f"{type(model).__name__}: must be a transformers model, but has no base_model of its own. "
        f"The rule looks for {_looked_for('base_model')}."
    )


def _stack(body: "nn.Module") -> tuple[str, int]:
    """Return the path of the list of layers inside the body, with a dot at its end, and its length."""
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
            f"{type(body).__name__}: must hold a list of layers, but none was found. "
            f"The rule looks for {_looked_for('ModuleList')}."
        )
    return best, n_layers


def _places(model: "nn.Module", prefix: str, body: str, stack: str, n_layers: int) -> Mapping[int, tuple[Address, ...]]:
    """Return the addresses of each parameter object, under all the names that it goes by."""
    found: dict[int, set[Address]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        at = found.setdefault(id(parameter), set())
        if not name.startswith(prefix):
            at.add(HEAD)
        else:
            at.update(_place(name.removeprefix(prefix), body, stack, n_layers))
    return {key: tuple(_without_tied_head(at)) for key, at in found.items()}


def _place(path: str, body: str, stack: str, n_layers: int) -> Iterator[Address]:
    child = path.split(".", 1)[0]
    if path.startswith(stack):
        yield layer(int(path.removeprefix(stack).split(".", 1)[0]))
    elif "embed" in child:
        yield EMBEDDINGS
    elif "pooler" in child:
        yield HEAD
    else:
        named = {"embeddings": EMBEDDINGS, "first layer": layer(0), "last layer": layer(n_layers - 1)}
        rows = (named[at] for pattern, at in OTHER_PARAMETERS if re.fullmatch(pattern, body + path))
        yield from itertools.islice(rows, 1)


def _without_tied_head(at: set[Address]) -> list[Address]:
    return sorted(at - {HEAD} or at)


def _few(faults: list[str]) -> str:
    return ", ".join(faults[:5]) + (f" and {len(faults) - 5} more" if len(faults) > 5 else "")


def _looked_for(stack: str) -> str:
    return (
        f"the list of layers ({stack.rstrip('.')}: the outermost ModuleList of base_model holding most parameters), "
        "children of base_model named *embed*, its pooler, everything outside it (head), "
        "and final norms, relative positions, ALBERT's hidden mapping and DeBERTa's convolution"
    )
