"""A study on the GPU for some minutes, as `run_study` runs it, and checks of what it leaves; MLflow is not included."""

import math
import tempfile
import time
from pathlib import Path
from typing import Any

from gpu_work import Work, encoder_of, recipe, splits_of

from finetune_alf.compute import ComputeSpec, resolve
from finetune_alf.compute.environment import environment_of
from finetune_alf.execute.serial import SerialExecutor
from finetune_alf.jobs.job import FitJob
from finetune_alf.paths import Paths
from finetune_alf.train.fit import ReportEpoch, fit
from finetune_alf.train.forward.agreement import is_packed
from finetune_alf.train.result import FitResult

GRID = (0.0, 5e-8, 5e-7, 5e-6, 5e-5, 1e-4)
N_TRIALS = 100_000
"""More than fit into the time."""
EPOCHS = 3
TOLERANCE = 0.02
"""How far the score and the losses of the best trial may be from those of the same fit once more: rounding on a GPU."""


class _Fits:
    """Runs jobs on one encoder and its texts."""

    def __init__(self, encoder_name: str, work: Work, device: str) -> None:
        self.encoder = encoder_of(encoder_name, device)
        self.splits = splits_of(work, self.encoder)
        self.n_fits = 0

    def __call__(self, job: FitJob, report: ReportEpoch) -> FitResult:
        self.n_fits += 1
        return fit(self.encoder, self.splits, job.fine_tuning, job.seed, precision=job.precision, report=report)


def study(encoder_name: str, work: Work, device: str, seconds: float) -> dict[str, Any]:
    """Search for so many seconds; return the counts and the checks, or why nothing was run."""
    try:
        import optuna  # noqa: F401
        import sqlalchemy  # noqa: F401
    except ImportError as error:
        return {"skipped": f"{error.name} is not installed"}
    with tempfile.TemporaryDirectory() as folder:
        return _searched(_Fits(encoder_name, work, device), device, seconds, Path(folder))


def _searched(fits: _Fits, device: str, seconds: float, root: Path) -> dict[str, Any]:
    from finetune_alf.documents import EncoderIdentity, SampleIdentity
    from finetune_alf.study.coordinator import run_study
    from finetune_alf.study.space import ChoicesSpace
    from finetune_alf.study.spec import MedianPruner, StudySpec

    encoder = fits.encoder
    compute = resolve(ComputeSpec(device=device, precision="bf16"))
    spec = StudySpec(
        encoder="encoder",
        sample="texts",
        space=ChoicesSpace(rates=GRID),
        recipe=recipe(EPOCHS),
        pruner=MedianPruner(),
        n_trials=N_TRIALS,
        max_hours=seconds / 3600,
        seed=0,
    )

    def run(n_trials: int) -> Any:
        return run_study(
            "gpu",
            spec.model_copy(update={"n_trials": n_trials}),
            sample=SampleIdentity(name="texts", digest="0" * 64),
            encoder=EncoderIdentity(name="encoder", identity=encoder.identity, n_layers=encoder.n_layers),
            encoder_spec=encoder.spec,
            environment=environment_of(compute, None),
            executor=SerialExecutor(),
            work=fits,
            paths=Paths(root),
        )

    started = time.monotonic()
    first = run(N_TRIALS)
    elapsed, n_fits = time.monotonic() - started, fits.n_fits
    again = run(len(first.records))
    found = {
        "seconds": elapsed,
        "n_trials": len(first.records),
        "n_pruned": sum(record.state == "pruned" for record in first.records),
        "n_failed": sum(record.state == "failed" for record in first.records),
        "fits_frac": sum(record.result.seconds for record in first.records if record.result) / elapsed,
        "best": first.best.score,
    }
    is_same = again.records == first.records and fits.n_fits == n_fits
    return found | {"checks": {"a second start fits nothing and finds the same trials": is_same} | _checks(fits, first)}


def _checks(fits: _Fits, found: Any) -> dict[str, bool]:
    complete = [record for record in found.records if record.state == "complete"]
    best, results = found.best, [record.result for record in found.records if record.result]
    losses = [epoch.train_loss for result in results for epoch in result.epochs]
    job = fits.splits, recipe(EPOCHS).with_rates(best.rates)
    once_more = fit(fits.encoder, *job, _seed(), precision=best.environment.precision)
    pairs = [
        (once_more.score, best.score),
        *((one.train_loss, other.train_loss) for one, other in zip(once_more.epochs, best.result.epochs, strict=True)),
    ]
    return {
        "the packed pass computes what transformers does": is_packed(fits.encoder.model),
        "every complete trial has a score": bool(complete) and all(math.isfinite(one.score) for one in complete),
        "every loss is a number": bool(losses) and all(loss is not None for loss in losses),
        "the best trial learns": best.result.epochs[-1].train_loss < best.result.epochs[0].train_loss,
        "the best trial is found again": all(abs(one - other) <= TOLERANCE for one, other in pairs),
    }


def _seed() -> int:
    """Return the seed of every trial of the study."""
    from finetune_alf.seeds import child_seed

    return child_seed(0, "fit")
