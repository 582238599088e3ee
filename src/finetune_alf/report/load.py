"""Read the results of studies; a stage that has not run is None, a broken file is an error."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from finetune_alf.documents import Document
from finetune_alf.paths import Paths
from finetune_alf.register.lock import LockDocument
from finetune_alf.study.documents import LayerImportance, StudyDocument
from finetune_alf.study.records import TrialRecord, baseline_trial, best_trial, read_trials

D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Searched:
    """A study that has run: its settings and its trials."""

    settings: StudyDocument
    trials: tuple[TrialRecord, ...]

    @property
    def scored(self) -> tuple[TrialRecord, ...]:
        """The trials that ended with a score."""
        return tuple(trial for trial in self.trials if trial.score is not None)

    @property
    def fit_seconds(self) -> float:
        """The seconds of all fits; a trial that repeats an earlier one has none of its own."""
        return sum(trial.result.seconds for trial in self.trials if trial.result and trial.repeats is None)

    @property
    def best(self) -> TrialRecord | None:
        """The trial with the highest score."""
        return best_trial(self.trials)

    @property
    def baseline_trial(self) -> TrialRecord | None:
        """The first trial with a score that has the baseline's rates."""
        return baseline_trial(self.trials, self.settings.baseline_rates)


@dataclass(frozen=True)
class StudyResults:
    """All that was run under a study's name; None or empty where a stage has not run."""

    name: str
    search: Searched | None
    importance: LayerImportance | None
    lock: LockDocument | None


def load_results(paths: Paths) -> tuple[StudyResults, ...]:
    """Read every study there is; InputError names a broken file."""
    return tuple(
        StudyResults(
            name,
            _search(paths.study_results(name)),
            _read_if_there(paths.importance(name), LayerImportance),
            _read_if_there(paths.schedules(name), LockDocument),
        )
        for name in sorted(set(_names(paths)))
    )


def _names(paths: Paths) -> Iterator[str]:
    yield from (file.parent.name for file in paths.study_results("x").parent.glob("[!.]*/study.json"))
    yield from (
        file.stem for kind in (paths.importance, paths.schedules) for file in kind("x").parent.glob("[!.]*.json")
    )


def _search(folder: Path) -> Searched | None:
    about = _read_if_there(folder / "study.json", StudyDocument)
    return None if about is None else Searched(about, tuple(read_trials(folder / "trials.jsonl")))


def _read_if_there(path: Path, kind: type[D]) -> D | None:
    return kind.read(path) if path.exists() else None
