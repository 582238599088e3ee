"""Studies of fake fits: the coordinator, the database and the executors are real."""

import json
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from fake_fits import N_EPOCHS, N_LAYERS, FakeFit, LightJob, epochs_up_to, fit_result, score_of

from finetune_alf.compute import Environment
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.execute import Callbacks, Executor, Jobs, NotReady, Outcome, PoolExecutor, SerialExecutor, Work
from finetune_alf.execute.jobs import NO_CALLBACKS
from finetune_alf.jobs.job import FitJob
from finetune_alf.paths import Paths
from finetune_alf.study.coordinator import StudyResult, run_study
from finetune_alf.study.spec import StudySpec
from finetune_alf.train.result import EpochMetrics, FitResult

__all__ = ["N_EPOCHS", "N_LAYERS", "FakeFit", "epochs_up_to", "fit_result", "score_of"]

RATES = (0.0, 5e-9, 5e-8, 5e-7, 5e-6, 5e-5, 1e-4)
ENVIRONMENT = Environment(
    device="cpu", precision="fp32", n_threads=1, git_commit="a1" * 20, versions={"finetune_alf": "0.1.0"}
)
ENCODER = RandomEncoder.model_validate_json('{"kind": "random", "config": {"model_type": "bert"}, "seed": 0}')


def study_spec(**changes: Any) -> StudySpec:
    fields = {
        "encoder": "tiny",
        "sample": "films",
        "space": {"kind": "choices", "rates": RATES},
        "recipe": {
            "rates": {"kind": "uniform", "rate": 5e-5, "head": 1e-3},
            "epochs": N_EPOCHS,
            "batch": 8,
            "max_tokens": 48,
        },
        "n_trials": 12,
        "seed": 7,
    }
    return StudySpec.model_validate_json(json.dumps({**fields, **changes}))


def study(
    root: Path,
    spec: StudySpec | None = None,
    work: Callable[[FitJob, Callable[[EpochMetrics], bool]], FitResult] | None = None,
    executor: Executor | None = None,
    **changes: Any,
) -> StudyResult:
    arguments = {
        "sample": SampleIdentity(name="films", digest="5a" * 32),
        "encoder": EncoderIdentity(name="tiny", identity="random:0", n_layers=N_LAYERS),
        "encoder_spec": ENCODER,
        "environment": ENVIRONMENT,
        **changes,
    }
    return run_study(
        "small",
        spec or study_spec(),
        executor=executor or SerialExecutor(),
        work=work or FakeFit(),
        paths=Paths(root),
        **arguments,
    )


def outcome_of(result: StudyResult) -> list[tuple[int, str, dict[str, float], float | None]]:
    """Return the fields of the trials that kills and restarts must not change."""
    return [(record.number, record.state, record.rates, record.score) for record in result.records]


class LightPool:
    """A pool that sends LightJobs to its workers, which start in a tenth of a second without torch."""

    def __init__(self, n_workers: int, job_timeout_s: float | None = None) -> None:
        self._pool = PoolExecutor(n_workers, job_timeout_s)

    @property
    def n_workers(self) -> int:
        return self._pool.n_workers

    @property
    def n_fused(self) -> int:
        return self._pool.n_fused

    def alone(self) -> "LightPool":
        return self if self.n_workers == 1 else LightPool(1, self._pool.job_timeout_s)

    def run(
        self, jobs: Jobs[FitJob], work: Work[Any, FitResult], callbacks: Callbacks = NO_CALLBACKS
    ) -> Generator[Outcome[FitJob, FitResult]]:
        sent: dict[str, FitJob] = {}

        def light_jobs() -> Jobs[LightJob]:
            for job in jobs:
                if isinstance(job, NotReady):
                    yield job
                    continue
                sent[job.key] = job
                yield LightJob(job.key, job.recipe)

        def on_light_message(job: LightJob, message: object) -> bool:
            return callbacks.on_report(sent[job.key], message)

        def on_light_begin(job: LightJob) -> None:
            callbacks.on_begin(sent[job.key])

        light = Callbacks(on_light_begin, on_light_message, callbacks.may_stop)
        with closing(self._pool.run(light_jobs(), work, light)) as outcomes:
            for outcome in outcomes:
                yield Outcome(sent[outcome.job.key], outcome.result, outcome.failure, outcome.worker_died)
