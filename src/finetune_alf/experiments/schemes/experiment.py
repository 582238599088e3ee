"""Testbeds of fine-tuning schemes as an experiment of the registry."""

from typing import TYPE_CHECKING, Any, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params.section import Section
    from finetune_alf.paths import Paths
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


class SchemesExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `schemes`."""

    key: ClassVar[str] = "schemes"
    help: ClassVar[Help] = Help(
        short="Compare fine-tuning schemes side by side.",
        long="Fine-tune under each scheme, adapter and curve of testbed NAME; without a name, of all of them.\n\n"
        "Run the same command again to resume: only missing fits are done.",
        example="testbed",
    )

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        from finetune_alf.experiments.schemes.section import SECTION

        return SECTION

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Fit the cells of an entry that are not done yet."""
        from finetune_alf.experiments.schemes.stage import schemes

        schemes(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of an entry."""
        from finetune_alf.experiments.schemes.planned import schemes_planned

        return schemes_planned(ctx, name)

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about all testbeds that have run."""
        from finetune_alf.experiments.schemes.page import schemes_part

        return schemes_part(paths)


SCHEMES = SchemesExperiment()
