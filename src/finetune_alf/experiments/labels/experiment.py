"""Schemes by number of texts as an experiment of the registry."""

from typing import TYPE_CHECKING, Any, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params.section import Section
    from finetune_alf.paths import Paths
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


class LabelsExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `labels`."""

    key: ClassVar[str] = "labels"
    help: ClassVar[Help] = Help(
        short="Compare schemes by the number of labelled texts.",
        long="Fit every scheme of entry NAME on several numbers of training texts, drawn anew for each seed, and tell "
        "what more texts are worth, and how many a scheme is worth; without a name, for all entries.\n\n"
        "Run the same command again to resume: only missing fits are done.",
        example="minilm",
    )

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        from finetune_alf.experiments.labels.section import SECTION

        return SECTION

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Fit the cells of an entry that are not done yet."""
        from finetune_alf.experiments.labels.stage import labels

        labels(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of an entry."""
        from finetune_alf.experiments.labels.planned import labels_planned

        return labels_planned(ctx, name)

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about all entries that have run."""
        from finetune_alf.experiments.labels.page import labels_part

        return labels_part(paths)


LABELS = LabelsExperiment()
