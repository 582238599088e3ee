"""Transfers as an experiment of the registry."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from finetune_alf.experiments.experiment import Help

if TYPE_CHECKING:
    from finetune_alf.params import Params
    from finetune_alf.params.section import Section
    from finetune_alf.paths import Paths
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


class TransferExperiment:
    """Runs, plans and reports transfers: every study of `transfer.studies` on every sample of `transfer.samples`."""

    key: ClassVar[str] = "transfer"
    help: ClassVar[Help] = Help(
        short="Try the registered schedules on other samples.",
        long="Try the registered schedules of STUDY on SAMPLE; by default, all that params.yaml names.",
        example="minilm restaurants",
    )
    arguments: ClassVar[tuple[str, ...]] = ("study", "sample")
    before_studies: ClassVar[bool] = False

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        from finetune_alf.experiments.transfer.section import SECTION

        return SECTION

    def choices(self, params: "Params") -> tuple[Sequence[str], ...]:
        """Return the studies and the samples; there is no transfer without both."""
        transfer = self.section.of(params)
        return (transfer.studies if transfer.samples else (), transfer.samples)

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Fit the cells of one study on one sample that are not done yet."""
        from finetune_alf.experiments.transfer.stage import transfer

        transfer(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the cells of a study on all samples."""
        from finetune_alf.experiments.transfer.planned import transfer_planned

        return transfer_planned(ctx, name)

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about all transfers that have run."""
        from finetune_alf.experiments.transfer.page import transfer_part

        return transfer_part(paths)


TRANSFER = TransferExperiment()
