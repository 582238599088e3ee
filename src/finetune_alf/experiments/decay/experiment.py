"""Decay grids as an experiment of the registry."""

from typing import TYPE_CHECKING, Any, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params.section import Section
    from finetune_alf.paths import Paths
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


class DecayExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `decay`."""

    key: ClassVar[str] = "decay"
    help: ClassVar[Help] = Help(
        short="Try layer-wise decay of the rates, over a grid.",
        long="Fine-tune with each rate and each decay factor of grid NAME, and score the test split; without a name, "
        "for all grids.\n\nRun the same command again to resume: only missing fits are done.",
        example="minilm",
    )

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        from finetune_alf.experiments.decay.section import SECTION

        return SECTION

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Fit the cells of an entry that are not done yet."""
        from finetune_alf.experiments.decay.stage import decay

        decay(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of an entry."""
        from finetune_alf.experiments.decay.planned import decay_planned

        return decay_planned(ctx, name)

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about all entries that have run."""
        from finetune_alf.experiments.decay.page import decay_part

        return decay_part(paths)


DECAY = DecayExperiment()
