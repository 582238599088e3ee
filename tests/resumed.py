"""What a study that was killed must hold: the trials of one that was not, each once, and all that it acknowledged."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from finetune_alf.study.identity import study_databases
from finetune_alf.study.records import read_trials
from kills import acknowledged

Trials = list[tuple[int, str, dict[str, float], float | None]]
"""Number, state, rates and score of each trial."""

STATES = {"COMPLETE": "complete", "FAIL": "failed", "PRUNED": "pruned"}


@dataclass(frozen=True)
class Faults:
    """How many trials are wrong, in which way."""

    lost: int = 0
    """Acknowledged, and not in the results with that score."""
    unfinished: int = 0
    """Running in the database."""
    repeated: int = 0
    """Numbers that are in the database more than once, or missing there."""
    different: int = 0
    """Another than in the study that was not killed, in the database or the results."""


def trials_of(root: Path, name: str) -> Trials:
    """Return the trials of a study's results."""
    records = read_trials(root / "results" / "study" / name / "trials.jsonl")
    return [(record.number, record.state, record.rates, record.score) for record in records]


def stored_trials(root: Path, name: str) -> Trials:
    """Return the trials of a study's one database, whose pages must be sound."""
    (database,) = study_databases(root / "studies", name)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rates = dict(
            connection.execute("select trial_id, value_json from trial_user_attributes where key = 'rates'").fetchall()
        )
        scores = dict(connection.execute("select trial_id, value from trial_values").fetchall())
        rows = connection.execute("select trial_id, number, state from trials order by number").fetchall()
    return [
        (number, STATES.get(state, state), json.loads(rates.get(key, "{}")), scores.get(key))
        for key, number, state in rows
    ]


def faults(root: Path, name: str, expected: Trials) -> Faults:
    """Compare results and database of a study with the trials of one that was not killed."""
    stored, found = stored_trials(root, name), trials_of(root, name)
    numbers = Counter(number for number, *_ in stored)
    present = {(number, score) for number, _, _, score in found}
    return Faults(
        lost=len(acknowledged(root) - present),
        unfinished=sum(state not in STATES.values() for _, state, *_ in stored),
        repeated=sum(abs(numbers[number] - 1) for number in {*numbers, *range(len(expected))}),
        different=n_different(expected, found) + n_different(expected, stored),
    )


def n_different(expected: Trials, found: Trials) -> int:
    """Return how many trials are others than expected, missing or too many."""
    pairs = zip(expected, found, strict=False)
    return sum(wanted != given for wanted, given in pairs) + abs(len(expected) - len(found))
