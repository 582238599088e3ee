"""Multi-task heads on one encoder: shared layers first, then the layers of each task."""

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
from finetune_alf.recipe.task_plans import HeadShape
from finetune_alf.recipe.tasks import HeadsSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class TaskHeads(nn.Module):
    """The heads of several tasks in the place of a model's output layer; `task` selects the one that is used."""

    def __init__(self, width: int, shapes: Mapping[str, HeadShape], n_common_layers: int, activation: str) -> None:
        super().__init__()
        self.task = next(iter(shapes))
        self.common = _linear_layers(width, n_common_layers, activation)
        self.own = nn.ModuleDict({_key(task): _TaskHead(width, shape, activation) for task, shape in shapes.items()})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs of the selected task, (rows, outputs), from the head's input, (texts, width)."""
        outputs: torch.Tensor = self.own[_key(self.task)](self.common(x))
        return outputs


class _TaskHead(nn.Module):
    """The layers of one task.

    Two texts of a pair that are encoded separately are concatenated at the output layer. The parameter counts of
    minBERT multi-task (section 5.3.4) leave no room for hidden layers of twice the width.
    """

    def __init__(self, width: int, shape: HeadShape, activation: str) -> None:
        super().__init__()
        self.n_texts_per_row = shape.n_texts_per_row
        self.hidden = _linear_layers(width, shape.n_layers - 1, activation)
        self.output = nn.Linear(shape.n_texts_per_row * width, shape.n_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.hidden(x).chunk(self.n_texts_per_row)  # all first texts, then all second ones
        outputs: torch.Tensor = self.output(parts[0] if len(parts) == 1 else torch.cat(parts, -1))  # (rows, outputs)
        return outputs


def with_task_heads(encoder: Encoder, shapes: Mapping[str, HeadShape], spec: HeadsSpec) -> Encoder:
    """Return the encoder with a head for each task in the place of its output layer.

    Both encoders share the parameters of the body: fit one after the other, never both at a time. Shared layers are at
    `head`, a task's own at `head.<task>`, initialized from the task's own seed. The layers of a single task are all at
    `head`. A single task without further layers is initialized as the plain classifier is (except ModernBERT, which
    initializes its output layer by a rule of its own). Raises EncoderError when there is no output layer.
    """
    model, path = _copy_outside(encoder.model, encoder.model.base_model), _output_path(encoder)
    output = model.get_submodule(path)
    assert isinstance(output, nn.Linear)  # noqa: S101 - as _output_path selects it
    heads = TaskHeads(output.in_features, shapes, spec.n_common_layers, spec.activation).to(output.weight)
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, heads)
    for module in _modules_outside(model):
        if isinstance(module, nn.Dropout) and spec.dropout is not None:
            module.p = spec.dropout
    own = {task: f"{path}.own.{_key(task)}." for task in shapes} if len(shapes) > 1 else {}
    anatomy = _anatomy(encoder.anatomy, model, f"{path}.", own)
    initial_weights = _initial_weights(encoder.initial_weights, anatomy, f"{path}.", list(own))
    return replace(encoder, model=model, anatomy=anatomy, initial_weights=initial_weights)


def task_heads_of(model: nn.Module) -> TaskHeads | None:
    """Return a model's multi-task heads, if it has them."""
    return next((module for module in model.modules() if isinstance(module, TaskHeads)), None)


def _key(task: str) -> str:
    return f"of_{task}"  # a ModuleDict refuses the names of its own methods, such as `keys`


def _linear_layers(width: int, n_layers: int, activation: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(n_layers):
        layers.append(nn.Linear(width, width))
        if activation != "none":
            layers.append(nn.Tanh() if activation == "tanh" else nn.ReLU())
    return nn.Sequential(*layers)


def _copy_outside(module: "PreTrainedModel", body: nn.Module) -> "PreTrainedModel":
    """Copy the modules outside the body; the body and all parameters are shared."""
    copied = copy.copy(module)
    copied._modules = {
        name: child if child is None or child is body else _copy_outside(child, body)
        for name, child in module._modules.items()
    }
    return copied


def _modules_outside(model: "PreTrainedModel") -> Iterator[nn.Module]:
    body = {id(module) for module in model.base_model.modules()}
    return (module for module in model.modules() if id(module) not in body)


def _output_path(encoder: Encoder) -> str:
    """Return the path of the output layer: the last linear layer outside the body with one output for each label."""
    model, n_labels = encoder.model, encoder.model.config.num_labels
    outside = {id(module) for module in _modules_outside(model)}
    found = [
        name
        for name, module in model.named_modules()
        if id(module) in outside and isinstance(module, nn.Linear) and module.out_features == n_labels
    ]
    if not found:
        raise EncoderError(
            f"{encoder.identity}: must have a linear output layer that task heads can replace, but has none with "
            f"{n_labels} outputs in {type(model).__name__}. Use another architecture, such as BERT or RoBERTa."
        )
    return str(found[-1])


def _anatomy(before: Anatomy, model: nn.Module, prefix: str, own: Mapping[str, str]) -> Anatomy:
    """Add the parameters of the heads, those with `prefix`: those of one task at `head.<task>`, others at `head`."""
    names = [name for name, _ in model.named_parameters()]
    head = [name for name in names if name in before.parameters[HEAD] or name.startswith(prefix)]
    by_task = {task_head(task): tuple(n for n in head if n.startswith(start)) for task, start in own.items()}
    task_specific = {name for some in by_task.values() for name in some}
    shared = {HEAD: tuple(name for name in head if name not in task_specific)}
    return Anatomy({**before.parameters, **shared, **by_task})


def _initial_weights(before: InitialWeights, anatomy: Anatomy, prefix: str, tasks: list[str]) -> InitialWeights:
    names = {name for some in anatomy.parameters.values() for name in some}
    return InitialWeights(
        loaded={name: tensor for name, tensor in before.loaded.items() if name in names},
        newly_initialized=tuple(
            name for name in anatomy.parameters[HEAD] if name in before.newly_initialized or name.startswith(prefix)
        ),
        adapters=before.adapters,
        by_task={task: anatomy.parameters[task_head(task)] for task in tasks},
    )
