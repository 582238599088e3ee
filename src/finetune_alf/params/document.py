"""Document: the values of a params file and where each stands in it; merging one over another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """A position in a file; lines and columns count from 1."""

    source: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the parameters, and where."""

    place: Place
    path: KeyPath
    message: str

    @property
    def field(self) -> str:
        """The path as text, such as `studies.minilm.recipe`."""
        return ".".join(map(str, self.path))

    def __str__(self) -> str:
        return f"{self.place} {self.field}: {self.message}" if self.path else f"{self.place}: {self.message}"

    def as_json(self) -> dict[str, str | int]:
        """Return what a ParamsError has of it."""
        file, line, column = self.place.source, self.place.line, self.place.column
        return {"file": file, "line": line, "column": column, "field": self.field, "message": self.message}


@dataclass(frozen=True)
class Document:
    """The content of a params file: values as JSON has them, the place of every key and item, faults of the YAML."""

    source: str
    value: dict[str, Any]
    places: Mapping[KeyPath, Place] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def place(self, path: KeyPath) -> Place:
        """Return where a key stands; for one that is not there, where its section does."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(self.source, 1, 1)


def overlay(under: Document, over: Document) -> Document:
    """Lay one document over another: maps merge, lists and scalars replace, `~` removes a key.

    Faults in a value name the file that it came from, faults in a map the last file that has something in it.
    """
    places = dict(under.places)
    value = _merge(under.value, over.value, (), places, over.places)
    return Document(under.source, value, places, (*under.faults, *over.faults))


def _merge(
    under: object, over: dict[str, Any], path: KeyPath, places: dict[KeyPath, Place], new: Mapping[KeyPath, Place]
) -> dict[str, Any]:
    merged = dict(under) if isinstance(under, dict) else {}
    for key, value in over.items():
        here = (*path, key)
        if isinstance(value, dict):
            # A map over nothing is merged into nothing, so that `~` means the same at every depth.
            if not isinstance(merged.get(key), dict):
                _forget(here, places)
            merged[key] = _merge(merged.get(key), value, here, places, new)
            places[here] = new[here]
            continue
        _forget(here, places)
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
            places.update({place: new[place] for place in new if place[: len(here)] == here})
    return merged


def _forget(path: KeyPath, places: dict[KeyPath, Place]) -> None:
    for place in [place for place in places if place[: len(path)] == path]:
        del places[place]
