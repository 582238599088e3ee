"""FitRunner: the work of an executor whose jobs are fits."""

import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from finetune_alf.compute import Compute
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.fp32_types import computed_precision
from finetune_alf.encoder.locate import encoder_files
from finetune_alf.encoder.spec import AnyEncoder, EncoderCopy
from finetune_alf.execute.jobs import OnReport, Outcome, attempt
from finetune_alf.jobs.device_memory import is_out_of_memory, release_memory, room_on
from finetune_alf.jobs.fused_jobs import fit_group, fusible_groups
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.linear import fit_linear
from finetune_alf.jobs.loader import FitLoader
from finetune_alf.linear import LinearModel
from finetune_alf.recipe import Recipe, TfidfRecipe
from finetune_alf.recipe.linear import LinearRecipe
from finetune_alf.train.evaluate import EVALUATION_BATCH
from finetune_alf.train.fit import ReportEpoch, fit
from finetune_alf.train.result import AdjustedFit, FitResult

logger = logging.getLogger(__name__)

_SAMPLE, _ENCODER = "sample ", "encoder "


class FitRunner:
    """Runs FitJobs as `compute` says, one after another or fused; `folders` maps each sample's digest to its folder.

    A job's own precision is used. A pickled runner has the settings, and a loader that has loaded nothing yet.
    """

    def __init__(self, folders: Mapping[str, Path], compute: Compute) -> None:
        self.folders, self.compute = dict(folders), compute
        self.loader = FitLoader(self.folders, compute.device)
        self._encoder_files: dict[str, dict[str, dict[str, Path]]] = {}  # by the encoder's spec

    def __reduce__(self) -> tuple[type["FitRunner"], tuple[Any, ...]]:
        return (FitRunner, (self.folders, self.compute))

    def placed(self, number: int) -> "FitRunner":
        """Return the runner of a worker: on its device, where there are several."""
        return FitRunner(self.folders, self.compute.of_worker(number))

    def files_of(self, job: FitJob) -> dict[str, dict[str, Path]]:
        """Return the files of a job's sample, and of its encoder if it has any, by name."""
        folder = self.folders[job.sample]
        sample = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        encoder = {} if isinstance(job.recipe, TfidfRecipe) else self._files_of_encoder(job.encoder)
        return {_SAMPLE + job.sample: sample} | encoder

    def _files_of_encoder(self, spec: AnyEncoder) -> dict[str, dict[str, Path]]:
        """Return the files of an encoder under its identity, which is computed once: it may hash all of them."""
        name = spec.model_dump_json()
        if name not in self._encoder_files:
            files = encoder_files(spec)
            self._encoder_files[name] = {_ENCODER + spec.identity(): files} if files else {}
        return self._encoder_files[name]

    def moved(self, job: FitJob, folders: Mapping[str, Path]) -> FitJob:
        """Return the job with its encoder in the folder given for it; later fits read its sample from the folder given.

        `folders` are by the keys of `files_of`.
        """
        for key, folder in folders.items():
            if key.startswith(_SAMPLE):
                self.folders[key.removeprefix(_SAMPLE)] = folder
            else:
                job = replace(job, encoder=EncoderCopy(path=str(folder), of=key.removeprefix(_ENCODER)))
        return job

    @property
    def batch(self) -> int:
        """The number of texts in a forward pass without gradients."""
        return self.compute.micro_batch or EVALUATION_BATCH

    def __call__(self, job: FitJob, report: ReportEpoch) -> FitResult:
        """Run one job. Raises the package's errors for what cannot be loaded or does not fit together.

        A fit that runs out of memory begins anew, once, with half as many texts at a time: the same steps.
        """
        self._set_threads()
        if not isinstance(job.recipe, Recipe):
            return self._fit_linear(job, job.recipe)[1]
        try:
            return self._fit(job, job.recipe, self.compute.micro_batch, report)
        except Exception as error:
            smaller = (self.compute.micro_batch or job.recipe.batch) // 2
            if not smaller or not is_out_of_memory(error):
                raise
            logger.warning("%s: out of memory. It begins anew with micro_batch: %d.", job.key, smaller)
        release_memory()  # here no traceback holds tensors any more
        return self._fit(job, job.recipe, smaller, report)

    def _fit(self, job: FitJob, recipe: Recipe, micro_batch: int | None, report: ReportEpoch) -> FitResult:
        encoder, tasks = self.loader.load(job)
        result = fit(encoder, tasks, recipe, job.seed, precision=job.precision, micro_batch=micro_batch, report=report)
        return self._as_it_ran(job, result, encoder, micro_batch)

    def _fit_linear(self, job: FitJob, recipe: LinearRecipe) -> tuple[LinearModel, FitResult]:
        model, result = fit_linear(job, recipe, self.loader, self.batch)
        if isinstance(recipe, TfidfRecipe):
            return model, result
        return model, self._as_it_ran(job, result, self.loader.load(job)[0], self.compute.micro_batch)

    def _as_it_ran(self, job: FitJob, result: FitResult, encoder: Encoder, micro_batch: int | None) -> FitResult:
        precision = computed_precision(encoder.model, job.precision)
        if (micro_batch, precision) == (self.compute.micro_batch, job.precision):
            return result
        return AdjustedFit(**dict(result), micro_batch=micro_batch, precision=precision)

    def room(self) -> int | None:
        """Return how many more workers the GPU has memory for; None on another device."""
        return room_on(self.compute.device)

    def run_fused(self, jobs: Sequence[FitJob], report: OnReport) -> Generator[Outcome[FitJob, FitResult]]:
        """Run jobs that differ in rates only as one fused fit, where the encoder is packed; others alone."""
        self._set_threads()
        for group in fusible_groups(jobs, self.loader):
            if len(group) == 1:
                result, failure = attempt(self, group[0], partial(report, group[0]))
                yield Outcome(group[0], result, failure)
            else:
                yield from fit_group(group, self.loader, self.compute.micro_batch, report)

    def _set_threads(self) -> None:
        if self.compute.n_threads:
            torch.set_num_threads(self.compute.n_threads)
