"""Devices that workers share: one worker of each starts at once, others when a job has shown that there is room."""

import logging
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


def room_for(free: int, peak: int) -> int:
    """Return how many more processes fit into `free` bytes where one has taken `peak`.

    One such part stays free: for what a process takes besides, and for a fit that takes more than those before it.
    """
    return max(free // max(peak, 1) - 1, 0)


@dataclass
class SharedDevices:
    """The devices of a run's workers, dealt out in turn; None where their memory is no limit."""

    n_devices: int | None
    _room: dict[int, int] = field(default_factory=dict)  # by device: as last measured
    _measured: set[int] = field(default_factory=set)  # workers that have finished a job
    _warned: set[int] = field(default_factory=set)

    def has_room(self, number: int, others: set[int]) -> bool:
        """Whether the worker of this number may start beside others.

        Of the room that was measured, workers that have finished no job yet will take theirs.
        """
        if self.n_devices is None:
            return True
        device = number % self.n_devices
        beside = {other for other in others if other % self.n_devices == device}
        if not beside or self._room.get(device, 0) > len(beside - self._measured):
            return True
        self._warn_if_full(number, device)
        return False

    def measured(self, number: int, room: int | None) -> None:
        """Note what a worker found after a job."""
        if self.n_devices is None or room is None:
            return
        self._measured.add(number)
        self._room[number % self.n_devices] = room

    def left(self, number: int) -> None:
        """Note that a worker has ended."""
        self._measured.discard(number)

    def _warn_if_full(self, number: int, device: int) -> None:
        """Warn, once for each device, that a worker does not start for lack of memory."""
        if self._room.get(device) == 0 and device not in self._warned:
            self._warned.add(device)
            logger.warning("Worker %d does not start: its device has no memory for another worker.", number)
