"""The predictions that a transfer keeps beside its document, read again."""

from typing import Self

from pydantic import model_validator

from finetune_alf.data.sample import Sample
from finetune_alf.documents import Document
from finetune_alf.errors import InputError
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.running.context import Context


class TransferPredictions(Document):
    """The label of each test text, and what every fit predicts, by scheme and fit seed."""

    truth: tuple[float, ...]
    predictions: dict[str, dict[int, tuple[float, ...]]]

    @model_validator(mode="after")
    def _of_each_text(self) -> Self:
        for scheme, by_seed in self.predictions.items():
            if other := [len(own) for own in by_seed.values() if len(own) != len(self.truth)]:
                raise ValueError(f"{other[0]} predictions of {scheme} for {len(self.truth)} texts")
        return self


def read_predictions(ctx: Context, study: str, sample: Sample) -> TransferPredictions:
    """Read the predictions for the test split of a sample.

    Raises InputError where the transfer has not run, or ran on another draw of the sample.
    """
    path, command = (
        ctx.paths.document("transfer", study, sample.name),
        ctx.paths.command("transfer", study, sample.name),
    )
    file = path.with_suffix(".predictions.json")
    if not (path.exists() and file.exists()):
        raise InputError(f"No transfer of {study} to {sample.name} has run. Run `{command}` first.")
    if TransferDocument.read(path).sample.digest != sample.card.digest:
        raise InputError(f"The transfer of {study} was to another draw of {sample.name}. Run `{command}` again.")
    return TransferPredictions.read(file)
