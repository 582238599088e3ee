"""The accuracies published in the thesis, for its three encoders, as a table with ours."""

from collections.abc import Sequence

from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.report.numbers import NONE, as_printed, estimate, score
from finetune_alf.report.section import Section
from finetune_alf.schedules.published import PublishedAccuracy, published_accuracies, thesis_encoder

SETS = ("imdb", "yelp", "sst2", "amazon")


def thesis_section(documents: Sequence[TransferDocument]) -> Section | None:
    """Return published and own accuracies; None where the encoder is not one of the thesis's."""
    encoder = thesis_encoder(documents[0].encoder.identity)
    if encoder is None:
        return None
    rows = [row for row in published_accuracies() if row.encoder == encoder]
    section = Section()
    section.table(
        ("scheme", *(f"{name}, {whose}" for name in SETS for whose in ("thesis", "ours"))),
        [_row(documents, rows, scheme) for scheme in dict.fromkeys(row.scheme for row in rows)],
    )
    sizes = sorted({row.n_texts for row in rows})
    section.text(
        f"Thesis: table {rows[0].table}, one run each, with the standard error in parentheses. It gives no sizes of "
        f"its test sets; the accuracies are fractions of {' or '.join(map(str, sizes))} texts, and the standard errors "
        "follow from these sizes. They do not have the spread over seeds. Its `alf` rows are its own schedules, ours "
        "are those of this study. Sample sizes and software differ too."
    )
    return section


def _row(documents: Sequence[TransferDocument], rows: list[PublishedAccuracy], scheme: str) -> list[str]:
    published = {row.set: row for row in rows if row.scheme == scheme}
    cells = [f"`{scheme}`"]
    for name in SETS:
        cells += [_published_cell(published[name]), _own_accuracy(documents, name, scheme)]
    return cells


def _published_cell(row: PublishedAccuracy) -> str:
    return f"{as_printed(row.accuracy)} ({score(row.standard_error)})"


def _own_accuracy(documents: Sequence[TransferDocument], set_name: str, scheme: str) -> str:
    """Write our accuracy on the sample whose name starts with the set's."""
    for document in documents:
        plain = document.sample.name.replace("-", "").replace("_", "")
        result = document.schemes.get(scheme)
        if plain.startswith(set_name) and result and result.accuracy:
            return estimate(result.accuracy)
    return NONE
