"""The lock file of a registration: the registered schedules in full, so that another registry can be filled from it."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from finetune_alf.documents import Document
from finetune_alf.errors import InputError, ScheduleError
from finetune_alf.register.candidates import Candidate
from finetune_alf.register.compare import References, meets
from finetune_alf.register.single_rate import SingleRate
from finetune_alf.register.spec import Requirement
from finetune_alf.schedules.registry import PulledSchedule, Registry, ScheduleVersion
from finetune_alf.schedules.schedule import Schedule

ALIASES = ("alf-1", "alf-2")


class LockedSchedule(Document):
    """A registered version, with the schedule that it holds and the digest of that."""

    version: int
    run_id: str
    digest: str
    trial: int | None
    schedule: Schedule


class LockDocument(Document):
    """results/schedules/<name>.json; schedules are by alias, candidates by score.

    `chosen` has the trial of each alias, also of one that does not show what `require` demands, and is no schedule.
    `optimism` is how much too high the score of the best candidate is expected to be. Files of earlier versions have
    neither of these, no references and no single rate.
    """

    study: str
    model: str
    metric: str
    schedules: dict[str, LockedSchedule]
    candidates: tuple[Candidate, ...]
    chosen: dict[str, int] = Field(default_factory=dict)
    require: Requirement = "none"
    margin: float = 0.0
    references: References | None = None
    single_rate: SingleRate | None = None
    optimism: float | None = None

    def candidate(self, alias: str) -> Candidate | None:
        """Return the candidate that was chosen for an alias."""
        locked = self.schedules.get(alias)
        trial = self.chosen.get(alias, locked.trial if locked else None)
        return next((each for each in self.candidates if each.trial == trial), None)

    @property
    def accepted(self) -> dict[str, Candidate]:
        """The chosen candidates that show what is required, by alias."""
        chosen = {alias: candidate for alias in self.chosen if (candidate := self.candidate(alias))}
        return {alias: each for alias, each in chosen.items() if meets(each.from_baseline, self.require, self.margin)}

    @property
    def single_rate_is_baseline(self) -> bool:
        """Whether the best single rate has the baseline's rates: a comparison with either is one with both."""
        there = self.references
        return bool(there and there.baseline and there.single_rate and there.baseline.rates == there.single_rate.rates)

    @property
    def n_fits(self) -> int:
        """The number of fits of the registration; those with equal rates are done once."""
        return self.n_confirmations + (self.single_rate.n_fits if self.single_rate else 0)

    @property
    def n_confirmations(self) -> int:
        """The number of fits that were scored on the confirmation split; those with equal rates are done once."""
        n_seeds = {each.rates: len(each.scores) for each in self.candidates}
        n_seeds |= {each.rates: len(each.scores) for each in (self.references.there if self.references else ())}
        return sum(n_seeds.values())


def locked_schedules(
    schedules: Mapping[str, Schedule], versions: Mapping[str, ScheduleVersion]
) -> dict[str, LockedSchedule]:
    """Return schedules with the versions that they were registered as, both by alias."""
    return {
        alias: LockedSchedule(
            version=versions[alias].version,
            run_id=versions[alias].run_id,
            digest=schedule.digest,
            trial=schedule.provenance.trial,
            schedule=schedule,
        )
        for alias, schedule in schedules.items()
    }


def read_lock(path: Path) -> LockDocument:
    """Return a lock file, each schedule checked against its digest. Raises InputError with the file."""
    lock = LockDocument.read(path)
    for alias, locked in lock.schedules.items():
        if locked.schedule.digest != locked.digest:
            raise InputError(
                f"{path}: {alias}: must have the digest {locked.digest[:12]} it was registered with, but has "
                f"{locked.schedule.digest[:12]}: the file was edited. Run the register stage again."
            )
    return lock


def register_schedules(
    registry: Registry,
    model: str,
    schedules: Mapping[str, Schedule],
    tags: Mapping[str, Mapping[str, str]],
    run_id: str,
    descriptions: Mapping[str, str] | None = None,
) -> dict[str, ScheduleVersion]:
    """Register schedules under their aliases, as artifacts of a run; return their versions by alias.

    `tags` and `descriptions` are those of the versions, by alias. An alias without a schedule is taken away from an
    earlier version.
    """
    for alias in ALIASES:
        if alias not in schedules:
            registry.remove_alias(model, alias)
    return {
        alias: registry.register(model, schedule, alias, run_id, tags.get(alias, {}), (descriptions or {}).get(alias))
        for alias, schedule in schedules.items()
    }


def pull_locked(registry: Registry, lock: LockDocument, model: str) -> dict[str, PulledSchedule]:
    """Return a lock file's schedules by alias, pulled from the versions that it names, wherever the aliases are now.

    `model` is where this project registers: its registry may have been filled from a lock file of another project, or
    of an older version of the package. Raises ScheduleError when neither model has the locked digest.
    """

    def pulled(locked: LockedSchedule) -> PulledSchedule:
        if lock.model != model:
            try:
                return registry.pull_version(lock.model, locked.version, locked.digest)
            except ScheduleError:
                pass  # the error for this project's own model says what to do
        return registry.pull_version(model, locked.version, locked.digest)

    return {alias: pulled(locked) for alias, locked in lock.schedules.items()}
