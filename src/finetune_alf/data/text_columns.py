"""Which columns of a table are a text, the two texts of a pair, or parts of one text."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from finetune_alf.data.readers.format import Column
from finetune_alf.data.rows import Text, is_empty
from finetune_alf.spec import Spec


class JoinedText(Spec):
    """Several columns that are one text, one after another with `by` between them; empty ones are left out."""

    join: Annotated[tuple[Column, ...], Field(strict=False, min_length=2)]
    """The columns whose texts are joined, in order."""
    by: str = " "


TextColumns = Column | Annotated[tuple[Column, Column], Field(strict=False)] | JoinedText
"""One text column, two for pairs of texts, or several for one text; not strict, as earlier validators pass lists on."""


def columns_of(text: TextColumns) -> tuple[str, ...]:
    """Return the names of the columns."""
    if isinstance(text, JoinedText):
        return text.join
    return (text,) if isinstance(text, str) else text


def has_text(text: TextColumns, values: Sequence[object]) -> bool:
    """Say whether the values of these columns are a text: one of them where they are joined, else all."""
    is_there = [not is_empty(value) for value in values]
    return any(is_there) if isinstance(text, JoinedText) else all(is_there)


def text_of(text: TextColumns, parts: Sequence[str]) -> Text:
    """Return the text or pair of these columns."""
    if isinstance(text, JoinedText):
        return text.by.join(part for part in parts if not is_empty(part))
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])
