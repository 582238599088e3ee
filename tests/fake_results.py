"""Made-up results of fits, for tests of code that only reads results."""

from collections.abc import Sequence
from typing import Any

from finetune_alf.compute import Environment, EnvironmentShare
from finetune_alf.rates import LayerRates
from finetune_alf.study.records import TrialRecord
from finetune_alf.train.result import RecordedFit

ENVIRONMENT = Environment(
    device="cpu", precision="fp32", n_threads=2, git_commit=None, versions={"finetune_alf": "0.1.0", "torch": "2.13.0"}
)
SHARES = (EnvironmentShare(environment=ENVIRONMENT, n_fits=4),)

_DEFAULTS: dict[str, Any] = {
    "epochs": (),
    "kept_epoch": 0,
    "score": None,
    "accuracy": None,
    "balanced_accuracy": None,
    "loss": 0.5,
    "predictions": (),
    "stopped": "epochs",
    "seconds": 1.0,
    "n_steps": 1,
    "n_trainable_parameters": 1,
    "started_ms": 0,
    "environment": ENVIRONMENT,
}


def fake_result(**given: Any) -> RecordedFit:
    """Return a result with these fields; a diverged one has no kept epoch and no predictions."""
    if given.get("stopped") == "diverged":
        given |= {"kept_epoch": None, "score": None, "loss": None, "predictions": (), "tasks": None}
    return RecordedFit(**(_DEFAULTS | given))


def fake_fit(truth: Sequence[int], n_wrong: int | None, **given: Any) -> RecordedFit:
    """Return a fit whose first `n_wrong` predictions, of two classes, are wrong; None is one that diverged, early."""
    if n_wrong is None:
        return fake_result(stopped="diverged", seconds=3.0, **given)
    predictions = (*(1 - label for label in truth[:n_wrong]), *truth[n_wrong:])
    return fake_result(predictions=predictions, seconds=62.0, **given)


def fake_trial(number: int, rates: LayerRates, score: float | None) -> TrialRecord:
    """Return a finished trial without epochs; one without a score diverged."""
    return TrialRecord(
        number=number,
        state="failed" if score is None else "complete",
        rates=rates,
        score=score,
        reason="diverged" if score is None else None,
        started_ms=0,
        ended_ms=1,
        environment=ENVIRONMENT,
        result=None,
    )
