"""Checksums of a study's trials in its database: one bad byte of a row is noticed, never read as another trial.

A trial is created with that of its rates and params, each write of its attempts has one, and its outcome that of the
whole record. Trials of earlier versions have none, and their attributes are read as they are.
"""

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial

from finetune_alf.checksums import CHECKSUM, checked, checksum_of, checksum_of_json, with_checksum
from finetune_alf.rates import LayerRates
from finetune_alf.study.records import TrialRecord, parse_trial

NO_ATTEMPTS: Mapping[str, Any] = {"n": 0, "failure": None, "environment": None}


def new_attributes(rates: LayerRates, params: Mapping[str, float]) -> dict[str, Any]:
    """Return the attributes of a trial that is created with these rates and params."""
    return {
        "rates": dict(rates),
        CHECKSUM: checksum_of({"rates": dict(rates), "params": dict(params)}),
        "attempts": with_checksum(NO_ATTEMPTS),
    }


def check_created(trial: FrozenTrial) -> None:
    """Raise ValueError where a trial has other rates or params than it was created with."""
    stated, rates = trial.user_attrs.get(CHECKSUM), trial.user_attrs["rates"]
    is_earlier = stated is None and CHECKSUM not in trial.user_attrs.get("attempts", {})
    if not is_earlier and stated != checksum_of({"rates": rates, "params": trial.params}):
        raise ValueError("other rates or params than it was created with")


def attempts_of(trial: FrozenTrial) -> dict[str, Any] | None:
    """Return the attempts at a trial; None where an earlier version wrote none. Raises ValueError for damaged ones."""
    attempts = trial.user_attrs.get("attempts")
    if attempts is None and CHECKSUM in trial.user_attrs:
        raise ValueError("no attempts")
    return None if attempts is None else checked(attempts)


def outcome_of(record: TrialRecord) -> dict[str, Any]:
    """Return what the database has of a finished trial besides number, state, rates and score."""
    whole = as_read(record)
    rest = {name: value for name, value in whole.items() if name not in ("number", "state", "rates", "score")}
    return {**rest, CHECKSUM: checksum_of_json(whole)}


def as_read(record: TrialRecord) -> dict[str, Any]:
    """Return a record as JSON has it after it was read back, where a whole number may have become a float."""
    return parse_trial(record.model_dump(mode="json")).model_dump(mode="json")


def without_checksum(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an outcome."""
    return {name: value for name, value in outcome.items() if name != CHECKSUM}


def check_finished(trial: FrozenTrial, record: TrialRecord) -> None:
    """Raise ValueError where a finished trial, read as this record, is another than was written."""
    stated = trial.user_attrs["outcome"].get(CHECKSUM)
    if stated is not None and stated != checksum_of_json(record.model_dump(mode="json")):
        raise ValueError("another result than was written")
