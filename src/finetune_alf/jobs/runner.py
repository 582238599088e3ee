"""FitRunner: the work of an executor whose jobs are fits."""

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from finetune_alf.compute import Compute
from finetune_alf.execute.jobs import OnReport, Outcome, attempt
from finetune_alf.jobs.fused_jobs import fit_group, fusible_groups
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.linear import fit_linear
from finetune_alf.jobs.loader import FitLoader
from finetune_alf.recipe import Recipe
from finetune_alf.train.evaluate import EVALUATION_BATCH
from finetune_alf.train.fit import ReportEpoch, fit
from finetune_alf.train.result import FitResult


class FitRunner:
    """Runs FitJobs as `compute` says, one after another or fused; `folders` maps each sample's digest to its folder.

    A job's own precision is used. A pickled runner has the settings, and a loader that has loaded nothing yet.
    """

    def __init__(self, folders: Mapping[str, Path], compute: Compute) -> None:
        self.folders, self.compute = dict(folders), compute
        self.loader = FitLoader(self.folders, compute.device)

    def __reduce__(self) -> tuple[type["FitRunner"], tuple[Any, ...]]:
        return (FitRunner, (self.folders, self.compute))

    @property
    def batch(self) -> int:
        """The number of texts in a forward pass without gradients."""
        return self.compute.micro_batch or EVALUATION_BATCH

    def __call__(self, job: FitJob, report: ReportEpoch) -> FitResult:
        """Run one job. Raises the package's errors for what cannot be loaded or does not fit together."""
        self._set_threads()
        precision, micro_batch, recipe = job.precision, self.compute.micro_batch, job.recipe
        if not isinstance(recipe, Recipe):
            return fit_linear(job, recipe, self.loader, self.batch)[1]
        encoder, tasks = self.loader.load(job)
        return fit(encoder, tasks, recipe, job.seed, precision=precision, micro_batch=micro_batch, report=report)

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
