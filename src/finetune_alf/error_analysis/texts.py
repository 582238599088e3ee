"""Labelled texts of a split, and the part of a document that names one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune_alf.documents import Document
from finetune_alf.errors import RowPlace

Text = str | tuple[str, str]


class FoundText(Document):
    """A text or pair: its index in the split, from 0, and the place of its row in the user's file where it is known.

    `line` is the one where the row begins, from 1 with the header's; a file without lines has rows, from 1.
    """

    index: int
    file: str | None
    line: int | None
    row: int | None
    text: Text
    label: str

    @property
    def place(self) -> str | None:
        """The place of the row in words."""
        if self.file is None:
            return None
        return RowPlace(self.file, self.line or self.row, self.line is not None).in_words


@dataclass(frozen=True)
class LabelledTexts:
    """The texts of a split with the indices of their classes; `places` has the places that are known, by text."""

    texts: Sequence[Text]
    labels: Sequence[int]
    label_names: tuple[str, ...]
    places: Mapping[Text, RowPlace] = field(default_factory=dict)

    def found(self, index: int) -> dict[str, Any]:
        """Return the fields of a FoundText."""
        text = self.texts[index]
        place = self.places.get(text)
        return {
            "index": index,
            "file": place and place.file,
            "line": place and place.line,
            "row": place and place.row,
            "text": text,
            "label": self.label_names[self.labels[index]],
        }
