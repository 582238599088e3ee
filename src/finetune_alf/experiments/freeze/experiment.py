"""Freeze sweeps as an experiment of the registry."""

from typing import TYPE_CHECKING, Any, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment
from finetune_alf.experiments.freeze.section import SECTION
from finetune_alf.params.section import Section
from finetune_alf.paths import Paths

if TYPE_CHECKING:
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


class FreezeExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `freeze`."""

    key: ClassVar[str] = SECTION.key
    section: ClassVar[Section[Any]] = SECTION
    help: ClassVar[Help] = Help(
        short="Say how many layers must learn.",
        long="Freeze the encoder of sweep NAME from the input up, level by level; without a name, of all of them.\n\n"
        "Run the same command again to resume: only missing fits are done.",
        example="elsa",
    )

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Do what of an entry is not done yet."""
        from finetune_alf.experiments.freeze.stage import freeze

        freeze(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of an entry."""
        from finetune_alf.experiments.freeze.planned import freeze_planned

        return freeze_planned(ctx, name)

    def part(self, paths: Paths) -> "Part | None":
        """Return the part of the report about all that have run."""
        from finetune_alf.experiments.freeze.page import freeze_part

        return freeze_part(paths)


FREEZE = FreezeExperiment()
