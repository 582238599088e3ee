"""Layer: the modules of one transformer layer by function, whatever its family calls them."""

from dataclasses import dataclass
from operator import attrgetter

from finetune_alf.encoder.text_heads import Module
from finetune_alf.train.forward.families import Family


@dataclass(frozen=True)
class Layer:
    """One layer's modules, by function; dropout applies while `whole` is in training mode."""

    whole: Module
    query: Module
    key: Module
    value: Module
    attention_output: Module
    attention_norm: Module
    intermediate: Module
    activation: Module
    output: Module
    output_norm: Module


def layer_of(module: Module, family: Family) -> Layer:
    """Return the modules of a layer of a family."""
    names = [name for name in Layer.__dataclass_fields__ if name != "whole"]
    return Layer(module, **{name: attrgetter(getattr(family, name))(module) for name in names})
