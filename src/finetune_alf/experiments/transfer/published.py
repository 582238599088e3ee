"""The thesis's own numbers beside ours, where the encoder is one of its three."""

from collections.abc import Sequence

from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.report.numbers import NONE, estimate, score
from finetune_alf.report.section import Section
from finetune_alf.schedules.published import published_accuracies, thesis_encoder

SETS = ("imdb", "yelp", "sst2", "amazon")


def beside_the_thesis(transfers: Sequence[TransferDocument]) -> Section | None:
    """Return published accuracies beside ours; None when the encoder is not the thesis's."""
    encoder = thesis_encoder(transfers[0].encoder.identity)
    if encoder is None:
        return None
    rows = [row for row in published_accuracies() if row["encoder"] == encoder]
    section = Section()
    section.table(
        ("scheme", *(f"{name}, {whose}" for name in SETS for whose in ("thesis", "ours"))),
        [_row(transfers, rows, scheme) for scheme in dict.fromkeys(str(row["scheme"]) for row in rows)],
    )
    section.text(
        f"Thesis: table {rows[0]['table']}, one run each on 480 to 992 texts, so a standard error of .008 to .017. Its "
        "`alf` rows are its own schedules, ours are those of this study; sample sizes and software differ too."
    )
    return section


def _row(transfers: Sequence[TransferDocument], rows: list[dict[str, str | float]], scheme: str) -> list[str]:
    theirs = {row["set"]: float(row["accuracy"]) for row in rows if row["scheme"] == scheme}
    cells = [f"`{scheme}`"]
    for name in SETS:
        cells += [score(theirs.get(name)), _ours(transfers, name, scheme)]
    return cells


def _ours(transfers: Sequence[TransferDocument], set_name: str, scheme: str) -> str:
    """Return our accuracy on the sample whose name begins with the set's."""
    for one in transfers:
        plain = one.sample.name.replace("-", "").replace("_", "")
        result = one.schemes.get(scheme)
        if plain.startswith(set_name) and result and result.accuracy:
            return estimate(result.accuracy)
    return NONE
