"""The experiments beside the studies: each reads its own folder under results/ and tells it in a part of the page."""

from collections.abc import Callable

from finetune_alf.experiments.adapt.page import adapt_part
from finetune_alf.experiments.freeze.page import freeze_part
from finetune_alf.experiments.multitask.page import multitask_part
from finetune_alf.experiments.schemes.page import schemes_part
from finetune_alf.paths import Paths
from finetune_alf.report.part import Part

EXPERIMENTS: tuple[Callable[[Paths], Part | None], ...] = (adapt_part, freeze_part, schemes_part, multitask_part)
"""In the order of the page; each gives None where its stage has not run."""


def experiments(paths: Paths) -> tuple[Part, ...]:
    """Return the parts of all experiments that have run; InputError names a broken file."""
    return tuple(part for part in (experiment(paths) for experiment in EXPERIMENTS) if part)
