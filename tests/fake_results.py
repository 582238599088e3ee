"""Made-up results of fits, for tests of code that only reads results."""

from typing import Any

from finetune_alf.train.result import FitResult

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
    "device": "cpu",
    "precision": "fp32",
    "n_threads": 1,
    "started_ms": 0,
}


def fake_result(**given: Any) -> FitResult:
    """Return a result with these fields; a diverged one has no kept epoch and no predictions."""
    if given.get("stopped") == "diverged":
        given |= {"kept_epoch": None, "score": None, "loss": None, "predictions": (), "tasks": None}
    return FitResult(**(_DEFAULTS | given))
