"""A schedule applied to a model: its parameters frozen or given to an optimizer, as a table to read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.errors import ScheduleError
from finetune_alf.rates import BARELY, HEAD, Address, LayerRates, Movement, MovementWord, is_adapter, setting_text
from finetune_alf.recipe import movements
from finetune_alf.schedules.description import counted, steps_of
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.train.optimizer import ParamGroup, param_groups, resolve

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class AppliedRate:
    """What lies at an address: its parameters, its rate, and how many of the parameters are trained.

    `word` says what the rate does, as `schedules show` does; None where that is not known before it is measured.
    """

    address: Address
    n_parameters: int
    rate: float
    n_trained: int
    word: MovementWord | None

    @property
    def state(self) -> str:
        """Whether it is frozen, barely moves or learns; and how many parameters, where the others are frozen.

        An address such as the head of a bare body may have no parameters.
        """
        if self.n_parameters == 0:
            return "no parameters"
        if self.n_trained == 0:
            return "frozen"
        word = self.word or "trained"
        if self.n_trained == self.n_parameters:
            return word
        return f"{word} ({self.n_trained:,} of {self.n_parameters:,})"


@dataclass(frozen=True)
class AppliedRates:
    """A row for each address, from the input up; it prints as a table. The words are over `n_steps` steps."""

    rows: tuple[AppliedRate, ...]
    n_steps: int

    def __iter__(self) -> Iterator[AppliedRate]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        total, trained = sum(row.n_parameters for row in self), sum(row.n_trained for row in self)
        cells = [("address", "parameters", "rate", "")]
        cells += [(row.address, f"{row.n_parameters:,}", setting_text(row.rate), row.state) for row in self]
        cells.append(("all", f"{total:,}", "", f"{trained / max(total, 1):.1%} are not frozen"))
        lines = [f"{name:<12}{count:>14}{rate:>10}  {state}".rstrip() for name, count, rate, state in cells]
        if any(row.word == "barely moves" for row in self):
            lines.append(
                f"barely moves: by less than {BARELY:.1g} of the weights' size in {counted(self.n_steps, 'step')}"
            )
        return "\n".join(lines)

    __repr__ = __str__


def apply(schedule: Schedule, model: "nn.Module | Encoder") -> AppliedRates:
    """Freeze as the schedule says, and return the table."""
    module, anatomy, rates = _placed(schedule, model)
    param_groups(module, rates, anatomy=anatomy)
    n_steps, by_address = steps_of(schedule), anatomy.rates(rates)
    found = movements(schedule.recipe, by_address, n_steps, measured=schedule.provenance.movement)
    return AppliedRates(tuple(_rows(module, anatomy, found)), n_steps)


def groups_of(schedule: Schedule, model: "nn.Module | Encoder", weight_decay: float | None = None) -> list[ParamGroup]:
    """Return groups for an optimizer."""
    module, anatomy, rates = _placed(schedule, model)
    decay = schedule.recipe.optimizer.weight_decay if weight_decay is None else weight_decay
    return param_groups(module, rates, weight_decay=decay, anatomy=anatomy)


def _placed(schedule: Schedule, model: "nn.Module | Encoder") -> tuple["nn.Module", Anatomy, LayerRates]:
    """Return the model, its anatomy as the recipe has it, and the rates. Raises ScheduleError where they do not fit."""
    module, anatomy = resolve(model)
    rates = schedule.for_depth(anatomy.n_layers)
    if schedule.recipe.adapter is not None and not any(map(is_adapter, anatomy.addresses)):
        raise ScheduleError(
            f"schedule {schedule.name}: was found with {schedule.recipe.adapter.kind} adapters, and the model has "
            "none. Add them with finetune_alf.with_adapter or PEFT, or pass the rates alone: "
            "param_groups(model, schedule.rates)."
        )
    if schedule.recipe.pooler == "frozen":
        anatomy = anatomy.with_pooler([name for name in anatomy.parameters[HEAD] if "pooler" in name])
    return module, anatomy, rates


def _rows(module: "nn.Module", anatomy: Anatomy, found: Mapping[Address, Movement]) -> Iterator[AppliedRate]:
    by_name = dict(module.named_parameters())
    for address, names in anatomy.parameters.items():
        parameters = [by_name[name] for name in names]
        trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
        n_parameters, movement = sum(parameter.numel() for parameter in parameters), found[address]
        yield AppliedRate(address, n_parameters, movement.rate, trained, movement.word)
