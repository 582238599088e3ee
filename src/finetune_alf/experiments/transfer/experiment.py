"""Transfers as an experiment of the registry."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params import Params


class TransferExperiment(NamedExperiment):
    """Runs, plans and reports transfers: every study of `transfer.studies` on every sample of `transfer.samples`."""

    key: ClassVar[str] = "transfer"
    help: ClassVar[Help] = Help(
        short="Try the registered schedules on other samples.",
        long="Try the registered schedules of STUDY on SAMPLE; by default, all that params.yaml names.",
        example="minilm restaurants",
    )
    arguments: ClassVar[tuple[str, ...]] = ("study", "sample")

    def choices(self, params: "Params") -> tuple[Sequence[str], ...]:
        """Return the studies and the samples; there is no transfer without both."""
        transfer = self.section.of(params)
        return (transfer.studies if transfer.samples else (), transfer.samples)

    def samples(self, params: "Params", *arguments: str) -> Sequence[str]:
        """Return the sample to which the study's schedules are applied."""
        _, sample = arguments
        return (sample,)


TRANSFER = TransferExperiment()
