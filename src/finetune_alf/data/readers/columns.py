"""Checks of column names."""

import re
from collections.abc import Sequence
from itertools import chain

from finetune_alf.errors import DataError, RowPlace

TEXT_NAMES = ("text", "review", "sentence", "content", "body", "comment", "message", "document", "description", "tweet")
PAIRS = (("sentence1", "sentence2"), ("question1", "question2"), ("premise", "hypothesis"))
"""Names that people give columns of texts."""

OF_A_SOURCE = "Set `text` and `label` of this source to columns that exist."


def check_columns(place: RowPlace, wanted: Sequence[str], found: Sequence[str], way_out: str = OF_A_SOURCE) -> None:
    """Raise DataError unless every wanted column exists, and no column has the name of another.

    `way_out` says where the wanted ones are named. Several columns may have none, as a spreadsheet writes empty ones.
    """
    listed = ", ".join(repr(name) for name in found)
    named = [name for name in found if name]
    if len(named) == 1 and len(found) > 2 and named[0] not in wanted:
        problem = (
            f"must begin with the names of the columns, but the first line names one of {len(found)}, {named[0]!r}"
        )
        fault = place._replace(number=1).fault(problem)
        raise DataError(f"{place}: {problem}. If it is a title, remove the lines above the names.", [fault])
    repeated = sorted({name for name in named if named.count(name) > 1})
    if repeated:
        problem = f"must have unique column names, but got {listed}"
        raise DataError(
            f"{place}: {problem}. Rename one of the columns {repeated[0]!r}.", [place.fault(problem, repeated[0])]
        )
    if missing := [name for name in wanted if name not in found]:
        got = f"got {listed}" if found else "is empty"
        problem = f"must have the column {', '.join(map(repr, missing))}, but {got}"
        raise DataError(f"{place}: {problem}. {way_out}", [place.fault(problem, missing[0])])


def is_usual_name(name: str) -> bool:
    """Say whether a word of a column's name is one that people give columns of texts, as in `review_text`."""
    known = {re.sub(r"\d", "", one) for one in (*TEXT_NAMES, *chain.from_iterable(PAIRS))}
    return any(word.removesuffix("s") in known for word in re.findall(r"[a-z]+", name.lower()))
