"""Fits as jobs: small enough to send to a worker process, which caches encoders and samples between them."""

from collections.abc import Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from finetune_alf.compute import Compute, Precision
from finetune_alf.data.mixture import AnySample, load_any_sample, task_infos
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.adapters.inject import with_adapter
from finetune_alf.encoder.heads import with_task_heads
from finetune_alf.encoder.load import Encoder, load_encoder
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import AlfError, DataError
from finetune_alf.execute.jobs import OnReport, Outcome, attempt
from finetune_alf.recipe import Adapter, Recipe
from finetune_alf.recipe.task_plans import TaskPlan, task_plans
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.fit import ReportEpoch, TaskSplits, fit
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.fused import fit_fused, fusion_key
from finetune_alf.train.objective import OBJECTIVES
from finetune_alf.train.result import FitResult

ScoredSplit = Literal["validation", "confirmation", "test"]


@dataclass(frozen=True)
class FitJob:
    """One fit: a trial, a confirmation or a cell. `sample` is the sample's digest.

    `precision` is resolved by the process that makes the job, since results are kept under it.
    `metric` is for a single task; with `tasks` in the recipe each task has its own, and the score is the overall one.
    """

    key: str
    recipe: Recipe
    encoder: EncoderSpec
    sample: str
    seed: int
    precision: Precision
    score_on: ScoredSplit = "validation"
    metric: str = "accuracy"


@dataclass
class FitRunner:
    """Runs FitJobs, one after another or fused, and loads each encoder and sample once.

    `samples` maps each sample's digest to its folder. A job's own precision is used, not that of `compute`. Pickling
    keeps the settings and drops the caches.
    """

    samples: Mapping[str, Path]
    compute: Compute
    _samples: dict[str, AnySample] = field(default_factory=dict, repr=False)
    _encoders: dict[Hashable, Encoder] = field(default_factory=dict, repr=False)
    _splits: dict[Hashable, TokenizedSplit] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> tuple[type["FitRunner"], tuple[dict[str, Path], Compute]]:
        return (FitRunner, (dict(self.samples), self.compute))

    def __call__(self, job: FitJob, report: ReportEpoch) -> FitResult:
        """Run one job. Raises the package's errors for what cannot be loaded or does not fit together."""
        encoder, tasks = self._load(job)
        precision, micro_batch = job.precision, self.compute.micro_batch
        return fit(encoder, tasks, job.recipe, job.seed, precision=precision, micro_batch=micro_batch, report=report)

    def run_fused(self, jobs: Sequence[FitJob], report: OnReport) -> Generator[Outcome[FitJob, FitResult]]:
        """Run jobs that differ in rates only as one fused fit, where the encoder is packed; others alone."""
        groups: dict[Hashable, list[FitJob]] = {}
        for job in jobs:
            groups.setdefault(self._fusion_key(job), []).append(job)
        for group in groups.values():
            if len(group) == 1:
                result, failure = attempt(self, group[0], partial(report, group[0]))
                yield Outcome(group[0], result, failure)
            else:
                yield from self._run_group(group, report)

    def sample(self, digest: str) -> AnySample:
        """Return the sample or mixture of this digest, read once; DataError when its folder is unknown."""
        if digest not in self._samples:
            if digest not in self.samples:
                raise DataError(f"sample {digest[:8]}: this fit runner knows no folder for it.")
            self._samples[digest] = load_any_sample(self.samples[digest])
        return self._samples[digest]

    def encoder(self, spec: EncoderSpec, n_labels: int, adapter: Adapter | None = None) -> Encoder:
        """Return the encoder with a head of this many outputs (one a class, or one for a score), loaded once.

        With an adapter it is another encoder in memory, beside the one without.
        """
        key = (spec.model_dump_json(), n_labels, adapter)
        if key not in self._encoders:
            self._encoders[key] = (
                load_encoder(spec, n_labels, self.compute.device)
                if adapter is None
                else with_adapter(self.encoder(spec, n_labels), adapter)
            )
        return self._encoders[key]

    def encoder_for(self, spec: EncoderSpec, recipe: Recipe, sample: AnySample, metric: str = "accuracy") -> Encoder:
        """Return the encoder that a recipe fine-tunes on a sample: with its adapter, and a head for each task."""
        return self._with_heads(spec, recipe, task_plans(recipe, task_infos(sample), metric))

    def _with_heads(self, spec: EncoderSpec, recipe: Recipe, plans: Mapping[str, TaskPlan]) -> Encoder:
        if recipe.tasks is None:
            (plan,) = plans.values()
            return self.encoder(spec, plan.shape.n_outputs, recipe.adapter)
        shapes = {task: plan.shape for task, plan in plans.items()}
        key = (spec.model_dump_json(), recipe.adapter, recipe.tasks.heads, *shapes.items())
        if key not in self._encoders:
            bare = self.encoder(spec, next(iter(shapes.values())).n_outputs, recipe.adapter)
            self._encoders[key] = with_task_heads(bare, shapes, recipe.tasks.heads)
        return self._encoders[key]

    def _run_group(self, jobs: Sequence[FitJob], report: OnReport) -> Generator[Outcome[FitJob, FitResult]]:
        encoder, tasks = self._load(jobs[0])
        (splits,) = tasks.values()
        results = fit_fused(
            encoder,
            splits,
            [job.recipe for job in jobs],
            jobs[0].seed,
            precision=jobs[0].precision,
            micro_batch=self.compute.micro_batch,
            report=lambda number, metrics: report(jobs[number], metrics),
        )
        for number, result in results:
            yield Outcome(jobs[number], result, None)

    def _fusion_key(self, job: FitJob) -> Hashable:
        """Return the key that jobs must share to be fused; a job that cannot be fused has a key of its own."""
        try:
            encoder, _ = self._load(job)
            recipe_key = fusion_key(encoder, job.recipe)
        except AlfError:
            return id(job)  # run alone, it reports this error
        settings = (job.encoder.model_dump_json(), job.sample, job.seed, job.precision, job.score_on, job.metric)
        return id(job) if recipe_key is None else (settings, recipe_key)

    def _load(self, job: FitJob) -> tuple[Encoder, dict[str, TaskSplits]]:
        """Return a job's encoder and the tokenised splits of each task, loaded once."""
        if self.compute.n_threads:
            torch.set_num_threads(self.compute.n_threads)
        sample = self.sample(job.sample)
        plans = task_plans(job.recipe, task_infos(sample), job.metric)
        encoder = self._with_heads(job.encoder, job.recipe, plans)

        def splits(task: str, plan: TaskPlan) -> TaskSplits:
            train, validation, scored = (
                self._tokenized(encoder, sample.tasks[task], split, job.recipe.max_tokens, plan)
                for split in ("train", "validation", job.score_on)
            )
            return TaskSplits(train, validation, scored, plan.metric, plan.weight)

        return encoder, {task: splits(task, plan) for task, plan in plans.items()}

    def _tokenized(
        self, encoder: Encoder, sample: Sample, split: str, max_tokens: int, plan: TaskPlan
    ) -> TokenizedSplit:
        objective, n_texts_per_row = OBJECTIVES[plan.loss], plan.shape.n_texts_per_row
        key = (encoder.identity, sample.card.digest, max_tokens, split, plan.loss, n_texts_per_row)
        if key not in self._splits:
            rows = sample.nonempty_split(split)
            device = torch.device(self.compute.device)
            texts = (
                rows.texts
                if n_texts_per_row == 1
                else [part[index] for index in range(n_texts_per_row) for part in rows.texts]
            )
            table = TokenTable.of(encoder.tokenize(texts, max_tokens), device)
            labels = torch.tensor(rows.labels, dtype=objective.label_dtype, device=device)
            self._splits[key] = TokenizedSplit(table, labels, objective, n_texts_per_row)
        return self._splits[key]
