"""Freeze sweeps as an experiment of the registry."""

from typing import TYPE_CHECKING, Any, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params.section import Section
    from finetune_alf.paths import Paths
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


class FreezeExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `freeze`."""

    key: ClassVar[str] = "freeze"
    help: ClassVar[Help] = Help(
        short="Measure how many layers must be trained.",
        long="Freeze the encoder of sweep NAME layer by layer, from the embeddings up; without a name, all sweeps.\n\n"
        "Run the same command again to resume.",
        example="minilm",
    )

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        from finetune_alf.experiments.freeze.section import SECTION

        return SECTION

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Do the fits of an entry that are not done yet."""
        from finetune_alf.experiments.freeze.stage import freeze

        freeze(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of an entry."""
        from finetune_alf.experiments.freeze.planned import freeze_planned

        return freeze_planned(ctx, name)

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about the sweeps that have run."""
        from finetune_alf.experiments.freeze.page import freeze_part

        return freeze_part(paths)


FREEZE = FreezeExperiment()
