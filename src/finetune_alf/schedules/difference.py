"""The fields in which two schedules differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from finetune_alf.errors import ScheduleError
from finetune_alf.schedules.description import written
from finetune_alf.schedules.schedule import Schedule

MISSING = "-"
"""Stands for a field that one of the two does not have."""

WIDTH, N_BEFORE = 40, 8
"""A value has at most so many characters in the table, and so many equal ones before the first that differs."""


@dataclass(frozen=True)
class FieldDifference:
    """A field, as in `rates.layer.3` or `recipe.epochs`, and its values in both, MISSING where there is none."""

    field: str
    first: Any
    second: Any


@dataclass(frozen=True)
class ScheduleDifference:
    """The fields in which two schedules differ; it prints as a table."""

    first: str
    second: str
    fields: tuple[FieldDifference, ...]

    def __iter__(self) -> Iterator[FieldDifference]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __str__(self) -> str:
        if not self.fields:
            return f"{self.first} and {self.second} are equal"
        rows = [("", self.first, self.second), *((row.field, *_texts(row.first, row.second)) for row in self)]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip() for row in rows)

    __repr__ = __str__


def difference(first: Schedule, second: Schedule) -> ScheduleDifference:
    """Return the fields in which two schedules differ, rates first; their names are at the top of the table.

    Raises ScheduleError where the other one is no schedule.
    """
    if not isinstance(second, Schedule):
        raise ScheduleError(
            f"diff: must get a Schedule, but got {type(second).__name__}. Get one by name with Schedule.pull, "
            "and compare rates alone as dictionaries."
        )
    ours, theirs = dict(_fields(first)), dict(_fields(second))
    rates = (f"rates.{address}" for address in max(first.rates, second.rates, key=len))  # those of the deeper one
    fields = dict.fromkeys((*rates, *ours, *theirs))
    pairs = ((field, ours.get(field, MISSING), theirs.get(field, MISSING)) for field in fields)
    different = tuple(FieldDifference(*each) for each in pairs if each[1] != each[2])
    return ScheduleDifference(first.name, second.name, different)


def _fields(schedule: Schedule) -> Iterator[tuple[str, Any]]:
    yield from ((f"rates.{address}", rate) for address, rate in schedule.rates.items())
    for part in ("recipe", "provenance", "confirmed"):
        value = getattr(schedule, part)
        if value is not None:
            yield from _flat(part, value.model_dump(mode="json", exclude={"rates"}))


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, own in value.items():
            yield from _flat(f"{path}.{key}", own)
    else:
        yield path, value


def _texts(first: Any, second: Any) -> tuple[str, str]:
    """Return both values as text; long ones from shortly before the place where they differ."""
    texts = _text(first), _text(second)
    n_same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
    begin = n_same - N_BEFORE if max(map(len, texts)) > WIDTH and n_same > WIDTH // 2 else 0
    one, other = (_cut(f"…{text[begin:]}" if begin else text) for text in texts)
    return one, other


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _text(value: Any) -> str:
    return "none" if value is None else written(value)
