"""Our engine, as a study runs it: coordinator, database, executor, FitRunner on FitJobs.

The given rates are committed as pending trials before the study starts, which then finishes them as it does after a
kill; the sampler suggests parameters for each trial all the same. Timed are suggesting and committing, then everything
from the start of the first trial until the last one is recorded, but not the creation of the database. MLflow is not
included: it is written from another thread, and `overhead.py` times a study with it.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from engine_counter import Counter
from engine_records import Curve, Overhead, PeerResult, PeerTask, WorkCounts
from engine_work import GRID, Work

from finetune_alf.compute import ComputeSpec, resolve
from finetune_alf.compute.environment import environment_of
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.encoder.load import Encoder
from finetune_alf.execute.serial import SerialExecutor
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.study.coordinator import StudyResult, run_study
from finetune_alf.study.databases import study_database
from finetune_alf.study.identity import study_identity
from finetune_alf.study.sampler import suggest
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.study.spec import StudySpec
from finetune_alf.study.store import open_store
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.result import FitResult

N_PROBE_EPOCHS = 3
"""Epochs of the fit that times training steps."""


def run_ours(task: PeerTask, work: Work) -> PeerResult:
    """Run a work's trials as one study."""
    with _forward(task), tempfile.TemporaryDirectory() as folder:
        return _Bench(task, work, Path(folder)).run()


@contextmanager
def _forward(task: PeerTask) -> Iterator[None]:
    if task.peer == "padded":
        with patch("finetune_alf.train.fit.forward_of", lambda model, *_: PaddedForward(model)):
            yield
    else:
        yield


class _Bench:
    """One study, and the fits around it that are not timed as trials."""

    def __init__(self, task: PeerTask, work: Work, root: Path) -> None:
        self.task, self.work, self.paths = task, work, Paths(root)
        texts = task.texts
        folders = {
            texts.digest: Path(texts.sample),
            texts.warm_up_digest: Path(texts.warm_up),
            texts.steps_digest: Path(texts.steps),
        }
        compute = resolve(ComputeSpec(device=task.device, n_threads=task.n_threads))
        self.environment, self.fit_runner = environment_of(compute, None), FitRunner(folders, compute)
        self.recipe = work.recipe()
        self.vectors = work.vectors(task.mode, task.n_layers)
        self.spec = StudySpec(
            encoder="encoder",
            sample=work.name,
            space=ChoicesSpace(rates=GRID),
            seed=task.seed,
            recipe=self.recipe,
            n_trials=len(self.vectors),
        )

    def run(self) -> PeerResult:
        setup_started = time.perf_counter()
        self._fit(self.task.texts.warm_up_digest, self.recipe.model_copy(update={"epochs": 1}), self.vectors[0], 0)
        encoder = self.fit_runner.loader.encoder(self.task.encoder, 2)
        suggest_s = self._commit_trials(encoder)
        setup_s = time.perf_counter() - setup_started - suggest_s
        counter = Counter()
        counter.watch(encoder.model)
        result, last_recorded = self._study(encoder)
        wall_s = suggest_s + last_recorded - result.records[0].started_ms / 1000
        fits = [record.result for record in result.records if record.result]
        return PeerResult(
            work=self.work.name,
            peer=self.task.peer,
            repeat=self.task.repeat,
            wall_s=wall_s,
            setup_s=setup_s,
            peak_mib=counter.peak_mib(self.task.device),
            precision=self.environment.precision,
            counts=self._counts(encoder, counter, fits),
            curves=tuple(_curve(fit) for fit in fits),
            overhead=_overhead(fits, wall_s),
            step_s=self._step_s() if self.task.probe else None,
            spread=tuple(self._spread()),
        )

    def _commit_trials(self, encoder: Encoder) -> float:
        """Suggest parameters and commit the given rates, for each trial. Returns the seconds."""
        identity = study_identity(self.spec, self.task.texts.digest, encoder.identity, self.environment.precision)
        space, n_layers = self.spec.space, encoder.n_layers
        suggest(self.spec.sampler, space, n_layers, (), self.spec.seed, 0)  # the first call imports parts of Optuna
        with open_store(study_database(self.paths, self.work.name, identity), identity) as store:
            started = time.perf_counter()
            for number, rates in enumerate(self.vectors):
                suggest(self.spec.sampler, space, n_layers, (), self.spec.seed, number)
                store.create_trial(number, space.params_of(rates) or {}, space.distributions(n_layers), rates)
            return time.perf_counter() - started

    def _study(self, encoder: Encoder) -> tuple[StudyResult, float]:
        """Run the study; return its result, and the time when its last trial was recorded."""
        recorded: list[float] = []
        result = run_study(
            self.work.name,
            self.spec,
            sample=SampleIdentity(name=self.work.name, digest=self.task.texts.digest),
            encoder=EncoderIdentity(name=self.work.name, identity=encoder.identity, n_layers=encoder.n_layers),
            encoder_spec=self.task.encoder,
            environment=self.environment,
            executor=SerialExecutor(),
            work=self.fit_runner,
            paths=self.paths,
            on_trial=lambda record: recorded.append(time.time()),
        )
        return result, recorded[-1]

    def _counts(self, encoder: Encoder, counter: Counter, fits: list[FitResult]) -> WorkCounts:
        sample = self.fit_runner.loader.sample(self.task.texts.digest)
        splits = [encoder.tokenize(sample.splits[name].texts, self.work.max_tokens) for name in ("train", "validation")]
        return WorkCounts(
            n_trials=len(fits),
            n_epochs=sum(len(fit.epochs) for fit in fits),
            n_steps=sum(fit.n_steps for fit in fits),
            n_trained=counter.n_trained,
            n_evaluated=counter.n_evaluated,
            n_tokens=sum(len(ids) for tokens in splits for ids in tokens.input_ids),
        )

    def _step_s(self) -> float:
        """Return the median seconds of a training step, from a fit with almost nothing to evaluate."""
        recipe = self.recipe.model_copy(update={"epochs": N_PROBE_EPOCHS})
        fit = self._fit(self.task.texts.steps_digest, recipe, self.vectors[0], 0)
        return statistics.median(epoch.seconds for epoch in fit.epochs) * N_PROBE_EPOCHS / fit.n_steps

    def _spread(self) -> Iterator[Curve]:
        for number in range(self.task.n_spread_seeds):
            seed = child_seed(self.task.seed, "spread", number)
            yield _curve(self._fit(self.task.texts.digest, self.recipe, self.vectors[0], seed))

    def _fit(self, digest: str, recipe: Recipe, rates: LayerRates, seed: int) -> FitResult:
        job = FitJob("benchmark", recipe.with_rates(rates), self.task.encoder, digest, seed, self.environment.precision)
        return self.fit_runner(job, lambda metrics: True)


def _curve(fit: FitResult) -> Curve:
    train = [epoch.train_loss for epoch in fit.epochs if epoch.train_loss is not None]
    validation = [epoch.validation_loss for epoch in fit.epochs if epoch.validation_loss is not None]
    assert len(train) == len(validation) == len(fit.epochs), "a fit diverged"
    return Curve(train=statistics.fmean(train), validation=tuple(validation))


def _overhead(fits: list[FitResult], wall_s: float) -> Overhead:
    in_fits = sum(fit.seconds for fit in fits)
    in_epochs = sum(epoch.seconds for fit in fits for epoch in fit.epochs)
    return Overhead(study_frac=1 - in_fits / wall_s, fits_frac=(in_fits - in_epochs) / wall_s)
