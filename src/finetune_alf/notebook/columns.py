"""The columns of a table that arguments of Study name."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from finetune_alf.data.text_columns import JoinedText
from finetune_alf.errors import InputError
from finetune_alf.spec import first_fault
from finetune_alf.starting.columns import NamedText

Columns = str | int | Iterable[str | int]
"""A column or several; a number is the name of one that pandas calls by it."""


def column_names(given: Columns | None) -> tuple[str, ...]:
    """Return the names of columns as a Parquet file has them, which are texts."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return () if given is None else (str(given),)
    return tuple(map(str, given))


def named_text(given: Columns | Mapping[str, Any] | None) -> NamedText:
    """Return the columns of the text that are named; InputError for three or more, and a map that joins none."""
    if not isinstance(given, Mapping):
        names = column_names(given)
        if len(names) > 2:
            raise _error(list(names), f"of {len(names)} columns a text is made by {{'join': {list(names)}}}")
        return names
    try:
        return JoinedText.model_validate(
            {**given, **({"join": column_names(given["join"])} if "join" in given else {})}
        )
    except ValidationError as error:
        raise _error(dict(given), first_fault(error)) from None


def _error(given: object, fault: str) -> InputError:
    return InputError(
        f"text: must be a column, two for pairs, or as in {{'join': ['title', 'body'], 'by': ' '}}, but got {given!r}: "
        f"{fault}."
    )
