"""Labelled texts of a split, and the part of a document that names one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune_alf.documents import Document

Text = str | tuple[str, str]


class FoundText(Document):
    """A text or pair: its row in the split, counted from 0, and its place in the source where that is known."""

    row: int
    place: str | None
    text: Text
    label: str


@dataclass(frozen=True)
class LabelledTexts:
    """The texts of a split with the indices of their classes; `places` has the places that are known, by text."""

    texts: Sequence[Text]
    labels: Sequence[int]
    label_names: tuple[str, ...]
    places: Mapping[Text, str] = field(default_factory=dict)

    def found(self, row: int) -> dict[str, Any]:
        """Return the fields of a FoundText."""
        text = self.texts[row]
        return {
            "row": row,
            "place": self.places.get(text),
            "text": text,
            "label": self.label_names[self.labels[row]],
        }
