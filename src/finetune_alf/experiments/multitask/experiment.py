"""Multi-task fine-tuning as an experiment of the registry."""

from typing import TYPE_CHECKING, Any, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params.section import Section
    from finetune_alf.paths import Paths
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


class MultitaskExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `multitask`."""

    key: ClassVar[str] = "multitask"
    help: ClassVar[Help] = Help(
        short="Fit one encoder to several tasks at once.",
        long="Fit one encoder, a head for each task, under every recipe of experiment NAME; without a name, of all.\n\n"
        "Run the same command again to resume: only missing fits are done.",
        example="unfreeze",
    )

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        from finetune_alf.experiments.multitask.section import SECTION

        return SECTION

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Fit the cells of an entry that are not done yet."""
        from finetune_alf.experiments.multitask.stage import multitask

        multitask(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of an entry."""
        from finetune_alf.experiments.multitask.planned import multitask_planned

        return multitask_planned(ctx, name)

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about all experiments that have run."""
        from finetune_alf.experiments.multitask.page import multitask_part

        return multitask_part(paths)


MULTITASK = MultitaskExperiment()
