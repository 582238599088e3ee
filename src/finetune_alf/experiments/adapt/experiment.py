"""Further pre-training as an experiment of the registry."""

from typing import TYPE_CHECKING, Any, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params.section import Section
    from finetune_alf.paths import Paths
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


class AdaptExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `adapt`."""

    key: ClassVar[str] = "adapt"
    help: ClassVar[Help] = Help(
        short="Pre-train an encoder further on the texts of a task.",
        long="Pre-train the encoder of adaptation NAME further, on unlabelled texts; without a name, all of them.\n\n"
        "Run the same command again to resume the comparison; interrupted training starts again.",
        example="imdb",
    )
    before_studies: ClassVar[bool] = True

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        from finetune_alf.experiments.adapt.section import SECTION

        return SECTION

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Do the training and the fits of an entry that are not done yet."""
        from finetune_alf.experiments.adapt.stage import adapt

        adapt(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the training and the fits of an entry."""
        from finetune_alf.experiments.adapt.planned import adapt_planned

        return adapt_planned(ctx, name)

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about the adaptations that have run."""
        from finetune_alf.experiments.adapt.page import adapt_part

        return adapt_part(paths)


ADAPT = AdaptExperiment()
