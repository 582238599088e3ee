"""Heads for several tasks on one encoder: layers that all of them share, then each task's own."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.initial_weights import InitialWeights
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD, task_head
from finetune_alf.recipe.plans import HeadShape
from finetune_alf.recipe.tasks import HeadsSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class TaskHeads(nn.Module):
    """Stands where a model has its output layer; `task` says whose head answers."""

    def __init__(self, width: int, shapes: Mapping[str, HeadShape], n_common_layers: int, activation: str) -> None:
        super().__init__()
        self.task = next(iter(shapes))
        self.common = _stack(width, n_common_layers, activation)
        self.own = nn.ModuleDict({_key(task): _OwnHead(width, shape, activation) for task, shape in shapes.items()})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the answering task's outputs, (rows, outputs), from the head's input, (texts, width)."""
        outputs: torch.Tensor = self.own[_key(self.task)](self.common(x))
        return outputs


class _OwnHead(nn.Module):
    """One task's layers.

    Texts of a pair that were encoded apart meet at the output layer: the sizes that minBERT multi-task gives for its
    models (section 5.3.4) leave no room for hidden layers of twice the width.
    """

    def __init__(self, width: int, shape: HeadShape, activation: str) -> None:
        super().__init__()
        self.n_parts = shape.n_parts
        self.hidden = _stack(width, shape.n_layers - 1, activation)
        self.output = nn.Linear(shape.n_parts * width, shape.n_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.hidden(x).chunk(self.n_parts)  # all first texts, then all second ones
        outputs: torch.Tensor = self.output(parts[0] if len(parts) == 1 else torch.cat(parts, -1))  # (rows, outputs)
        return outputs


def with_task_heads(encoder: Encoder, shapes: Mapping[str, HeadShape], spec: HeadsSpec) -> Encoder:
    """Return the encoder with a head for each task in the place of its output layer.

    Both encoders share the body and what else they have in common: fit one after the other, never both at a time.
    Shared layers lie at `head`, a task's own at `head.<task>`, drawn from a seed of its own. A task alone is at `head`
    itself: without further layers it is the plain classifier, drawn as that one is (ModernBERT draws its output layer
    by a rule for itself, and this one by that for other layers). Raises EncoderError when there is no output layer.
    """
    model, path = _twin(encoder.model, encoder.model.base_model), _output_path(encoder)
    output = model.get_submodule(path)
    assert isinstance(output, nn.Linear)  # noqa: S101 - that is how the path was found
    heads = TaskHeads(output.in_features, shapes, spec.n_common_layers, spec.activation).to(output.weight)
    above, _, name = path.rpartition(".")
    setattr(model.get_submodule(above), name, heads)
    for module in _outside(model):
        if isinstance(module, nn.Dropout) and spec.dropout is not None:
            module.p = spec.dropout
    own = {task: f"{path}.own.{_key(task)}." for task in shapes} if len(shapes) > 1 else {}
    anatomy = _anatomy(encoder.anatomy, model, f"{path}.", own)
    return replace(
        encoder,
        model=model,
        anatomy=anatomy,
        initial_weights=_initial_weights(encoder.initial_weights, anatomy, f"{path}.", list(own)),
    )


def task_heads_of(model: nn.Module) -> TaskHeads | None:
    """Return a model's heads for several tasks, if it has them."""
    return next((module for module in model.modules() if isinstance(module, TaskHeads)), None)


def _key(task: str) -> str:
    return f"of_{task}"  # a ModuleDict takes no name that it uses itself, as `keys`


def _stack(width: int, n_layers: int, activation: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(n_layers):
        layers.append(nn.Linear(width, width))
        if activation != "none":
            layers.append(nn.Tanh() if activation == "tanh" else nn.ReLU())
    return nn.Sequential(*layers)


def _twin(module: "PreTrainedModel", body: nn.Module) -> "PreTrainedModel":
    """Copy a model's modules down to the body, which is shared, as all parameters are."""
    twin = copy.copy(module)
    twin._modules = {
        name: child if child is None or child is body else _twin(child, body) for name, child in module._modules.items()
    }
    return twin


def _outside(model: "PreTrainedModel") -> Iterator[nn.Module]:
    body = {id(module) for module in model.base_model.modules()}
    return (module for module in model.modules() if id(module) not in body)


def _output_path(encoder: Encoder) -> str:
    """Return where the output layer is: the last linear layer outside the body with an output a label."""
    model, n_labels = encoder.model, encoder.model.config.num_labels
    outside = {id(module) for module in _outside(model)}
    found = [
        name
        for name, module in model.named_modules()
        if id(module) in outside and isinstance(module, nn.Linear) and module.out_features == n_labels
    ]
    if not found:
        raise EncoderError(
            f"{encoder.identity}: must have a linear output layer that heads can take the place of, but none with "
            f"{n_labels} outputs was found in {type(model).__name__}. Use another architecture, as BERT or RoBERTa."
        )
    return str(found[-1])


def _anatomy(before: Anatomy, model: nn.Module, inside: str, own: Mapping[str, str]) -> Anatomy:
    """Lay the new layers out; what is `inside` the heads and no task's own is at the head, with what was there."""
    names = [name for name, _ in model.named_parameters()]
    head = [name for name in names if name in before.parameters[HEAD] or name.startswith(inside)]
    of_tasks = {task_head(task): tuple(n for n in head if n.startswith(start)) for task, start in own.items()}
    taken = {name for some in of_tasks.values() for name in some}
    shared = {HEAD: tuple(name for name in head if name not in taken)}
    return Anatomy({**before.parameters, **shared, **of_tasks})


def _initial_weights(before: InitialWeights, anatomy: Anatomy, inside: str, tasks: list[str]) -> InitialWeights:
    there = {name for names in anatomy.parameters.values() for name in names}
    loaded = {name: tensor for name, tensor in before.loaded.items() if name in there}
    fresh = tuple(
        name for name in anatomy.parameters[HEAD] if name in before.newly_initialized or name.startswith(inside)
    )
    return InitialWeights(loaded, fresh, before.drawn, {task: anatomy.parameters[task_head(task)] for task in tasks})
