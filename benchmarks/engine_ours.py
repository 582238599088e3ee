"""Our engine, by the way that a study goes: coordinator, database, executor, FitRunner on FitJobs.

The listed rates are committed as pending trials before the study starts, which then finishes them as it does after a
kill; for each one the sampler is asked all the same. Timed are asking and committing, then all from the start of the
first trial until the last one is recorded; making the database, once a study, is not. MLflow is not in it: it is
written from another thread, and `overhead.py` times a study with it.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from engine_counter import Counter
from engine_records import Asked, Counted, Curve, Done, Outside
from engine_work import GRID, Work

from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.encoder.load import Encoder
from finetune_alf.execute.serial import SerialExecutor
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.study.coordinator import StudyResult, run_study
from finetune_alf.study.identity import identity_of
from finetune_alf.study.sampler import suggest
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.study.spec import StudySpec
from finetune_alf.study.store import open_store
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.job import FitJob, FitRunner
from finetune_alf.train.result import FitResult

N_PROBED = 3
"""Epochs of the fit that times the steps alone."""


def run_ours(asked: Asked, work: Work) -> Done:
    """Do a work's trials as one study."""
    with _forward(asked), tempfile.TemporaryDirectory() as folder:
        return _Bench(asked, work, Path(folder)).run()


@contextmanager
def _forward(asked: Asked) -> Iterator[None]:
    if asked.peer == "padded":
        with patch("finetune_alf.train.fit.forward_of", lambda model, *_: PaddedForward(model)):
            yield
    else:
        yield


class _Bench:
    """One study's parts, and the fits around it that are not timed as trials."""

    def __init__(self, asked: Asked, work: Work, root: Path) -> None:
        self.asked, self.work, self.paths = asked, work, Paths(root)
        drawn = asked.drawn
        folders = {
            drawn.digest: Path(drawn.sample),
            drawn.warm_digest: Path(drawn.warm),
            drawn.steps_digest: Path(drawn.steps),
        }
        self.fit_runner = FitRunner(folders, asked.device, asked.n_threads)
        self.recipe = work.recipe()
        self.vectors = work.vectors(asked.mode, asked.n_layers)
        self.spec = StudySpec(
            encoder="encoder",
            sample=work.name,
            space=ChoicesSpace(rates=GRID),
            seed=asked.seed,
            recipe=self.recipe,
            n_trials=len(self.vectors),
        )

    def run(self) -> Done:
        began = time.perf_counter()
        self._fit(self.asked.drawn.warm_digest, self.recipe.model_copy(update={"epochs": 1}), self.vectors[0], 0)
        encoder = self.fit_runner.encoder(self.asked.encoder, 2)
        asking_s = self._begin(encoder)
        setup_s = time.perf_counter() - began - asking_s
        counter = Counter()
        counter.watch(encoder.model)
        result, ended = self._study(encoder)
        wall_s = asking_s + ended - result.records[0].started_ms / 1000
        fits = [record.result for record in result.records if record.result]
        return Done(
            work=self.work.name,
            peer=self.asked.peer,
            repeat=self.asked.repeat,
            wall_s=wall_s,
            setup_s=setup_s,
            peak_mib=counter.peak_mib(self.asked.device),
            precision=fits[0].precision,
            counted=self._counted(encoder, counter, fits),
            curves=tuple(_curve(fit) for fit in fits),
            outside=_outside(fits, wall_s),
            step_s=self._step_s() if self.asked.probe else None,
            spread=tuple(self._spread()),
        )

    def _begin(self, encoder: Encoder) -> float:
        """Suggest params and commit the listed rates, for each trial. Returns the seconds that it took."""
        identity = identity_of(self.spec, self.asked.drawn.digest, encoder.identity)
        space, n_layers = self.spec.space, encoder.n_layers
        suggest(self.spec.sampler, space, n_layers, (), self.spec.seed, 0)  # the first one loads Optuna's parts
        with open_store(self.paths.studies, self.work.name, identity) as store:
            started = time.perf_counter()
            for number, rates in enumerate(self.vectors):
                suggest(self.spec.sampler, space, n_layers, (), self.spec.seed, number)
                store.create_trial(space.params_of(rates) or {}, space.distributions(n_layers), rates)
            return time.perf_counter() - started

    def _study(self, encoder: Encoder) -> tuple[StudyResult, float]:
        """Run the study; return its result, and when its last trial was recorded."""
        recorded: list[float] = []
        result = run_study(
            self.work.name,
            self.spec,
            sample=SampleIdentity(name=self.work.name, digest=self.asked.drawn.digest),
            encoder=EncoderIdentity(name=self.work.name, identity=encoder.identity, n_layers=encoder.n_layers),
            encoder_spec=self.asked.encoder,
            executor=SerialExecutor(),
            work=self.fit_runner,
            paths=self.paths,
            on_trial=lambda record: recorded.append(time.time()),
        )
        return result, recorded[-1]

    def _counted(self, encoder: Encoder, counter: Counter, fits: list[FitResult]) -> Counted:
        sample = self.fit_runner.sample(self.asked.drawn.digest)
        splits = [encoder.tokenize(sample.splits[name].texts, self.work.max_tokens) for name in ("train", "validation")]
        return Counted(
            n_trials=len(fits),
            n_epochs=sum(len(fit.epochs) for fit in fits),
            n_steps=sum(fit.n_steps for fit in fits),
            n_trained=counter.n_trained,
            n_evaluated=counter.n_evaluated,
            n_tokens=sum(len(ids) for tokens in splits for ids in tokens.input_ids),
        )

    def _step_s(self) -> float:
        """Return the median seconds of a training step; the fit has next to nothing to evaluate."""
        recipe = self.recipe.model_copy(update={"epochs": N_PROBED})
        fit = self._fit(self.asked.drawn.steps_digest, recipe, self.vectors[0], 0)
        return statistics.median(epoch.seconds for epoch in fit.epochs) * N_PROBED / fit.n_steps

    def _spread(self) -> Iterator[Curve]:
        for number in range(self.asked.n_spread):
            seed = child_seed(self.asked.seed, "spread", number)
            yield _curve(self._fit(self.asked.drawn.digest, self.recipe, self.vectors[0], seed))

    def _fit(self, digest: str, recipe: Recipe, rates: LayerRates, seed: int) -> FitResult:
        job = FitJob("benchmark", recipe.with_rates(rates), self.asked.encoder, digest, seed)
        return self.fit_runner(job, lambda record: True)


def _curve(fit: FitResult) -> Curve:
    train = [record.train_loss for record in fit.epochs if record.train_loss is not None]
    validation = [record.validation_loss for record in fit.epochs if record.validation_loss is not None]
    assert len(train) == len(validation) == len(fit.epochs), "a fit diverged"
    return Curve(train=statistics.fmean(train), validation=tuple(validation))


def _outside(fits: list[FitResult], wall_s: float) -> Outside:
    in_fits = sum(fit.seconds for fit in fits)
    in_epochs = sum(epoch.seconds for fit in fits for epoch in fit.epochs)
    return Outside(study_frac=1 - in_fits / wall_s, fits_frac=(in_fits - in_epochs) / wall_s)
