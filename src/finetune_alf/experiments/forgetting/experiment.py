"""Error against steps as an experiment of the registry."""

from typing import TYPE_CHECKING, Any, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params.section import Section
    from finetune_alf.paths import Paths
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


class ForgettingExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `forgetting`."""

    key: ClassVar[str] = "forgetting"
    help: ClassVar[Help] = Help(
        short="Draw the error against the step, by learning rate.",
        long="Fine-tune at each rate of entry NAME, also at rates that cause catastrophic forgetting, and score the "
        "validation split every so many steps; without a name, for all entries.\n\n"
        "Run the same command again to resume: only missing fits are done.",
        example="minilm",
    )

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        from finetune_alf.experiments.forgetting.section import SECTION

        return SECTION

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Fit the cells of an entry that are not done yet."""
        from finetune_alf.experiments.forgetting.stage import forgetting

        forgetting(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of an entry."""
        from finetune_alf.experiments.forgetting.planned import forgetting_planned

        return forgetting_planned(ctx, name)

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about all entries that have run."""
        from finetune_alf.experiments.forgetting.page import forgetting_part

        return forgetting_part(paths)


FORGETTING = ForgettingExperiment()
