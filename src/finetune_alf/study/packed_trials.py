"""Finished trials in little memory: each is compressed JSON, and its record is made anew where one is needed."""

import zlib
from bisect import insort
from collections.abc import Iterable, Sequence
from typing import overload

from finetune_alf.study.records import TrialRecord


class PackedTrials(Sequence[TrialRecord]):
    """Finished trials, in the order of their numbers.

    The epochs, predictions and environment of a record take many times the memory as objects. Each look at one makes
    it anew.
    """

    def __init__(self, records: Iterable[TrialRecord] = ()) -> None:
        self._packed: dict[int, bytes] = {}
        self._numbers: list[int] = []
        for record in records:
            self.add(record)

    def add(self, record: TrialRecord) -> None:
        """Add a trial, or replace the one with its number."""
        if record.number not in self._packed:
            insort(self._numbers, record.number)
        self._packed[record.number] = zlib.compress(record.model_dump_json().encode())

    def of_number(self, number: int) -> TrialRecord:
        """Return the trial with this number. Raises KeyError where there is none."""
        return TrialRecord.model_validate_json(zlib.decompress(self._packed[number]))

    @overload
    def __getitem__(self, index: int) -> TrialRecord: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[TrialRecord, ...]: ...

    def __getitem__(self, index: int | slice) -> TrialRecord | tuple[TrialRecord, ...]:
        if isinstance(index, slice):
            return tuple(self.of_number(number) for number in self._numbers[index])
        return self.of_number(self._numbers[index])

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        """Return whether another sequence has the same records."""
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # trials are added
