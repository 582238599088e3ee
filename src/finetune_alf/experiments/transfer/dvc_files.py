"""What DVC shows of a transfer: the difference of alf-1 from the baseline, and a row for each scheme."""

from collections.abc import Iterator

from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.json_files import write_plain_json
from finetune_alf.paths import Paths
from finetune_alf.register.recommend import PRIMARY
from finetune_alf.running.dvc_files import Row, write_numbers


def write_transfer_files(paths: Paths, document: TransferDocument) -> None:
    """Write numbers and rows of the transfer of a study to a sample."""
    names = ("transfer", document.study, document.sample.name)
    write_numbers(paths.summary(*names), transfer_numbers(document))
    write_plain_json(paths.plot(*names), list(transfer_rows(document)))


def transfer_numbers(document: TransferDocument) -> dict[str, float | None]:
    """Return the difference of the first schedule from the baseline, under the sample's name: so no name is twice."""
    first = document.schemes.get(PRIMARY)
    found = first.difference if first else None
    return {f"{document.sample.name}.difference": found.mean if found else None}


def transfer_rows(document: TransferDocument) -> Iterator[Row]:
    """Yield the score of each scheme and its difference from the baseline, with intervals.

    Where every fit of every scheme diverged there is one row without a score.
    """
    for scheme, result in document.schemes.items():
        found = result.difference
        yield {
            "scheme": scheme,
            "score": result.score.mean,
            "score_low": result.score.low,
            "score_high": result.score.high,
            "difference": found.mean if found else None,
            "difference_low": found.low if found else None,
            "difference_high": found.high if found else None,
        }
    if not document.schemes:
        yield {"scheme": "none", "score": None}
