"""What an examination found: one line of its table."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Finding:
    """What was looked at, and its state.

    `way_out` says what to do about a fault, `next_step` what is left to run where nothing is wrong.
    """

    topic: str
    name: str
    state: str
    way_out: str = ""
    next_step: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether something is wrong."""
        return bool(self.way_out)

    def as_json(self) -> dict[str, object]:
        """Return the finding as a record of a JSON document."""
        return {**asdict(self), "is_fault": self.is_fault}
