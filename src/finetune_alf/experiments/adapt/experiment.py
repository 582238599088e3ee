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
        short="Train an encoder further on the texts of a task.",
        long="Train the encoder of adaptation NAME further, on texts without labels; without a name, of all.\n\n"
        "What is done already, under the same settings, encoder and texts, is not done again.",
        example="imdb",
    )
    before_studies: ClassVar[bool] = True

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        from finetune_alf.experiments.adapt.section import SECTION

        return SECTION

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Do what of an entry is not done yet."""
        from finetune_alf.experiments.adapt.stage import adapt

        adapt(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of an entry."""
        from finetune_alf.experiments.adapt.planned import adapt_planned

        return adapt_planned(ctx, name)

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about all that have run."""
        from finetune_alf.experiments.adapt.page import adapt_part

        return adapt_part(paths)


ADAPT = AdaptExperiment()
