"""The guess whether the labels of a column are classes or a score."""

import re

from finetune_alf.errors import InputError
from finetune_alf.metric_names import ProblemType
from finetune_alf.starting.columns import Guess
from finetune_alf.starting.profile import ColumnProfile

MAX_WHOLE_CLASSES = 20
"""More different whole numbers are a score."""

_LIST = re.compile(r"\[.*\]", re.DOTALL)


def guess_task(label: ColumnProfile) -> Guess[ProblemType]:
    """Return whether labels are classes or a score; InputError for lists that are written as text."""
    n = label.n_different
    if label.counts and all(_LIST.fullmatch(value) for value in label.counts):
        raise InputError(
            f"label: must be names, but column {label.name!r} has lists as text, such as {next(iter(label.counts))}. "
            f"Write the names with | between them, as `frame[{label.name!r}].str.join('|')` does before `to_csv`, or "
            "the table as JSON Lines."
        )
    if label.is_numeric and label.n_whole < label.n_values:
        commas = " and a decimal comma" if label.has_decimal_commas else ""
        return Guess("regression", f"numbers with fractions{commas}, {n} different ones")
    if label.is_numeric and n > MAX_WHOLE_CLASSES:
        return Guess("regression", f"{n} different whole numbers, more than {MAX_WHOLE_CLASSES}")
    if label.is_numeric:
        return Guess("classification", f"{n} different whole numbers")
    return Guess("classification", f"{n} different names")
