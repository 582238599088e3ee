"""Planned fits: the input of `plan`, and the protocol of studies and experiments that provide it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from finetune_alf.params import Params
from finetune_alf.planning.predict import Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.recipe import Recipe
from finetune_alf.running.context import Context

ADAPTERS_NOTE = "Fits with adapters are planned at the speed of those without, the adapters' own operations added."


@dataclass(frozen=True)
class PlannedFits:
    """The fits of a study or an experiment; `recipe` is what they are like on the whole.

    `stages` plans them, stage by stage, once encoder and samples are loaded. `is_one_command` says that it is started
    once, not once for each stage.
    """

    title: str
    encoder: str
    recipe: Recipe
    samples: tuple[str, ...]
    stages: Callable[[Predictor], Iterable[StagePlan]]
    notes: tuple[str, ...] = ()
    is_one_command: bool = True


class Plannable(Protocol):
    """Something whose fits can be planned before they run: the studies, or an experiment."""

    @property
    def key(self) -> str:
        """Its section of params.yaml."""
        ...

    def choices(self, params: Params) -> tuple[Sequence[str], ...]:
        """Return what params.yaml names for each argument of its command; plans are made by the first."""
        ...

    def planned(self, ctx: Context, name: str) -> PlannedFits:
        """Return the fits of one entry."""
        ...
