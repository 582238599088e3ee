"""The registry: the experiments of the package, and those that other packages bring through an entry point."""

from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from finetune_alf.errors import InputError
from finetune_alf.experiments.adapt.experiment import ADAPT
from finetune_alf.experiments.budget.experiment import BUDGET
from finetune_alf.experiments.decay.experiment import DECAY
from finetune_alf.experiments.experiment import Experiment
from finetune_alf.experiments.fit.experiment import FIT
from finetune_alf.experiments.forgetting.experiment import FORGETTING
from finetune_alf.experiments.freeze.experiment import FREEZE
from finetune_alf.experiments.labels.experiment import LABELS
from finetune_alf.experiments.multitask.experiment import MULTITASK
from finetune_alf.experiments.schemes.experiment import SCHEMES
from finetune_alf.experiments.transfer.experiment import TRANSFER

if TYPE_CHECKING:
    from finetune_alf.params import Params
    from finetune_alf.planning.planned import Plannable

ENTRY_POINTS = "finetune_alf.experiments"
"""The group of entry points; each of them names an object that is an Experiment."""

BUILT_IN: tuple[Experiment, ...] = (ADAPT, TRANSFER, FREEZE, SCHEMES, MULTITASK, BUDGET, LABELS, FORGETTING, DECAY, FIT)
"""In the order in which they run and in which the report shows them."""


@cache
def registry() -> tuple[Experiment, ...]:
    """Return all experiments, the package's own first; InputError names an entry point that cannot be loaded."""
    experiments = [*BUILT_IN, *(_loaded(point) for point in sorted(metadata.entry_points(group=ENTRY_POINTS)))]
    keys = [experiment.key for experiment in experiments]
    if repeated := sorted({key for key in keys if keys.count(key) > 1}):
        raise InputError(
            f"entry points {ENTRY_POINTS}: must have keys of their own, but {', '.join(repeated)} is taken. "
            "Uninstall one of the packages that bring it."
        )
    return tuple(experiments)


def model_of(experiments: Sequence[Experiment] | None = None) -> "type[Params]":
    """Return the record of params.yaml with the sections of these experiments, of all that there are unless given."""
    from finetune_alf.params.model import params_model

    return params_model(tuple(experiment.section for experiment in experiments or registry()))


def plannables() -> list["Plannable"]:
    """Return what can be planned: the studies, and all experiments, in the order of the work."""
    from finetune_alf.planning.study import StudyPlan

    before = [experiment for experiment in registry() if experiment.before_studies]
    after = [experiment for experiment in registry() if not experiment.before_studies]
    return [*before, StudyPlan(), *after]


def load_params(
    path: Path | str = "params.yaml",
    overlays: Sequence[str] = (),
    *,
    experiments: Sequence[Experiment] | None = None,
) -> "Params":
    """Read a params file with overlays, files or presets' names, laid over it in order.

    Raises ParamsError with every fault, each with its file, line, column and YAML path.
    """
    from finetune_alf.params.load import load_params as load

    return load(path, overlays, model=model_of(experiments))


def _loaded(point: metadata.EntryPoint) -> Experiment:
    try:
        experiment: Experiment = point.load()
    except Exception as error:  # another package's fault, whatever it is
        raise InputError(
            f"entry point {point.name} = {point.value}: cannot be loaded: {error}. "
            "Mend or uninstall the package that brings it."
        ) from error
    return experiment
