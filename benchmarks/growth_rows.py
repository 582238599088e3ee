"""Planted trials: rows of Optuna's tables and of MLflow's, copied from the first trial of a study."""

import contextlib
import json
import random
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from proposals import N_LAYERS, SPACE

from finetune_alf.rates import HEAD
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.trial_checksums import new_attributes, outcome_of


def plant_trials(database: Path, first: TrialRecord, n_trials: int) -> None:
    """Add finished trials with random rates to a study that has its first one."""
    with quick(database) as connection:
        row = dict(connection.execute("SELECT * FROM trials").fetchone())
        distributions = dict(connection.execute("SELECT param_name, distribution_json FROM trial_params").fetchall())
        steps = [dict(step) for step in connection.execute("SELECT * FROM trial_intermediate_values").fetchall()]
        for table, rows in _trial_rows(first, n_trials, row, distributions, steps):
            _insert(connection, table, rows)


def _trial_rows(
    first: TrialRecord, n_trials: int, row: dict[str, Any], distributions: dict[str, str], steps: list[dict[str, Any]]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield tables and their rows, trial by trial."""
    draw, choices = random.Random(0), SPACE.distributions(N_LAYERS)  # noqa: S311 - a draw of rates
    for number in range(1, n_trials):
        params = {name: draw.choice(SPACE.rates) for name in distributions}
        rates = SPACE.layer_rates(params, N_LAYERS, first.rates[HEAD])
        record = first.model_copy(update={"number": number, "rates": rates, "score": draw.random()})
        key = {"trial_id": row["trial_id"] + number}
        attributes = {**new_attributes(rates, params), "outcome": outcome_of(record)}
        yield "trials", [{**row, **key, "number": number}]
        yield (
            "trial_params",
            [
                {
                    **key,
                    "param_name": name,
                    "param_value": choices[name].to_internal_repr(value),
                    "distribution_json": distributions[name],
                }
                for name, value in params.items()
            ],
        )
        yield (
            "trial_user_attributes",
            [{**key, "key": name, "value_json": json.dumps(value)} for name, value in attributes.items()],
        )
        yield "trial_values", [{**key, "objective": 0, "value": record.score, "value_type": "FINITE"}]
        yield (
            "trial_intermediate_values",
            [{name: value for name, value in {**step, **key}.items() if name != _STEP_ID} for step in steps],
        )


_STEP_ID = "trial_intermediate_value_id"


def plant_runs(database: Path, n_trials: int) -> None:
    """Copy the run of the first trial for each other one."""
    with quick(database) as connection:
        (run,) = connection.execute("SELECT run_uuid FROM tags WHERE key = 'alf.trial' AND value = '0'").fetchone()
        rows = {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", (run,))]  # noqa: S608
            for table in ("runs", "tags", "params", "metrics", "latest_metrics")
        }
        for number in range(1, n_trials):
            own = uuid.UUID(int=number).hex
            for table, copied in rows.items():
                _insert(connection, table, [_of_run(row, own, number) for row in copied])


def _of_run(row: dict[str, Any], run: str, number: int) -> dict[str, Any]:
    """Return a row of the first trial's run as that of another trial's."""
    changed = {**row, "run_uuid": run}
    if row.get("key") == "alf.key":
        changed["value"] = f"{row['value'].rpartition('/')[0]}/{number}"
    if row.get("key") == "alf.trial":
        changed["value"] = str(number)
    return changed


@contextlib.contextmanager
def quick(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a database, and commit at the end, unsynced."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = OFF")
        yield connection
        connection.commit()


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
