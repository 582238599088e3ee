"""Fits as jobs: small enough to send to a worker, which keeps encoder and sample at hand between them."""

from collections.abc import Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from finetune_alf.data.mixture import AnySample, facts_of, load_any_sample
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.adapters.inject import with_adapter
from finetune_alf.encoder.heads import with_task_heads
from finetune_alf.encoder.load import Encoder, load_encoder
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import AlfError, DataError
from finetune_alf.execute.jobs import OnMessage, Outcome, attempt
from finetune_alf.recipe import Adapter, Recipe
from finetune_alf.recipe.plans import TaskPlan, task_plans
from finetune_alf.train.batches import Labelled
from finetune_alf.train.fit import FitTexts, Report, fit
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.fused import fit_together, likeness
from finetune_alf.train.objective import OBJECTIVES
from finetune_alf.train.precision import resolve_device
from finetune_alf.train.result import FitResult

ScoredSplit = Literal["validation", "confirmation", "test"]


@dataclass(frozen=True)
class FitJob:
    """One fit to be done: a trial, a confirmation or a transfer cell. The sample goes by its digest.

    `metric` is that of the one task; with `tasks` in the recipe each has its own, and the score is the overall one.
    """

    key: str
    recipe: Recipe
    encoder: EncoderSpec
    sample: str
    seed: int
    score_on: ScoredSplit = "validation"
    metric: str = "accuracy"


@dataclass
class Workbench:
    """Does FitJobs, one after another or in lockstep, loading each encoder and sample once.

    `samples` tells where the sample of each digest lies. Pickles as its settings: what it has loaded stays behind.
    """

    samples: Mapping[str, Path]
    device: str = "auto"
    n_threads: int | None = None
    _loaded: dict[str, AnySample] = field(default_factory=dict, repr=False)
    _encoders: dict[Hashable, Encoder] = field(default_factory=dict, repr=False)
    _tokenised: dict[Hashable, Labelled] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> tuple[type["Workbench"], tuple[dict[str, Path], str, int | None]]:
        return (Workbench, (dict(self.samples), self.device, self.n_threads))

    def __call__(self, job: FitJob, report: Report) -> FitResult:
        """Do one job. Raises the package's errors for what cannot be loaded or does not fit together."""
        encoder, tasks = self._at_hand(job)
        return fit(encoder, tasks, job.recipe, job.seed, report=report)

    def together(self, jobs: Sequence[FitJob], report: OnMessage) -> Generator[Outcome[FitJob, FitResult]]:
        """Do jobs that differ in rates alone in lockstep, where the encoder's family is packed; others one by one."""
        groups: dict[Hashable, list[FitJob]] = {}
        for job in jobs:
            groups.setdefault(self._likeness(job), []).append(job)
        for group in groups.values():
            if len(group) == 1:
                result, failure = attempt(self, group[0], partial(report, group[0]))
                yield Outcome(group[0], result, failure, n_attempts=1)
            else:
                yield from self._in_lockstep(group, report)

    def sample(self, digest: str) -> AnySample:
        """Return the sample or mixture of this digest, read once; DataError when it is not at hand."""
        if digest not in self._loaded:
            if digest not in self.samples:
                raise DataError(f"sample {digest[:8]}: must be at hand, but this worker knows no folder for it.")
            self._loaded[digest] = load_any_sample(self.samples[digest])
        return self._loaded[digest]

    def encoder(self, spec: EncoderSpec, n_labels: int, adapter: Adapter | None = None) -> Encoder:
        """Return the encoder with a head of this many outputs, one a class or one for a score, loaded once.

        With an adapter it is another live encoder, beside the bare one.
        """
        key = (spec.model_dump_json(), n_labels, adapter)
        if key not in self._encoders:
            self._encoders[key] = (
                load_encoder(spec, n_labels, str(resolve_device(self.device)))
                if adapter is None
                else with_adapter(self.encoder(spec, n_labels), adapter)
            )
        return self._encoders[key]

    def encoder_for(self, spec: EncoderSpec, recipe: Recipe, sample: AnySample, metric: str = "accuracy") -> Encoder:
        """Return the encoder as a recipe fits it to a sample: with its adapter, and a head for each task."""
        return self._headed(spec, recipe, task_plans(recipe, facts_of(sample), metric))

    def _headed(self, spec: EncoderSpec, recipe: Recipe, plans: Mapping[str, TaskPlan]) -> Encoder:
        if recipe.tasks is None:
            (plan,) = plans.values()
            return self.encoder(spec, plan.shape.n_outputs, recipe.adapter)
        shapes = {task: plan.shape for task, plan in plans.items()}
        key = (spec.model_dump_json(), recipe.adapter, recipe.tasks.heads, *shapes.items())
        if key not in self._encoders:
            bare = self.encoder(spec, next(iter(shapes.values())).n_outputs, recipe.adapter)
            self._encoders[key] = with_task_heads(bare, shapes, recipe.tasks.heads)
        return self._encoders[key]

    def _in_lockstep(self, jobs: Sequence[FitJob], report: OnMessage) -> Generator[Outcome[FitJob, FitResult]]:
        encoder, tasks = self._at_hand(jobs[0])
        (texts,) = tasks.values()
        results = fit_together(
            encoder,
            texts,
            [job.recipe for job in jobs],
            jobs[0].seed,
            report=lambda number, record: report(jobs[number], record),
        )
        for number, result in results:
            yield Outcome(jobs[number], result, None, n_attempts=1)

    def _likeness(self, job: FitJob) -> Hashable:
        """Return what jobs have in common that can be done together; one that cannot is like itself alone."""
        try:
            encoder, _ = self._at_hand(job)
            recipe = likeness(encoder, job.recipe)
        except AlfError:
            return id(job)  # done alone, it says why
        about = (job.encoder.model_dump_json(), job.sample, job.seed, job.score_on, job.metric)
        return id(job) if recipe is None else (about, recipe)

    def _at_hand(self, job: FitJob) -> tuple[Encoder, dict[str, FitTexts]]:
        """Return a job's encoder and the texts of each task, loaded once."""
        if self.n_threads:
            torch.set_num_threads(self.n_threads)
        sample = self.sample(job.sample)
        plans = task_plans(job.recipe, facts_of(sample), job.metric)
        encoder = self._headed(job.encoder, job.recipe, plans)

        def texts(task: str, plan: TaskPlan) -> FitTexts:
            train, validation, scored = (
                self._labelled(encoder, sample.tasks[task], split, job.recipe.max_tokens, plan)
                for split in ("train", "validation", job.score_on)
            )
            return FitTexts(train, validation, scored, plan.metric, plan.weight)

        return encoder, {task: texts(task, plan) for task, plan in plans.items()}

    def _labelled(self, encoder: Encoder, sample: Sample, split: str, max_tokens: int, plan: TaskPlan) -> Labelled:
        objective, n_parts = OBJECTIVES[plan.loss], plan.shape.n_parts
        key = (encoder.identity, sample.card.digest, max_tokens, split, plan.loss, n_parts)
        if key not in self._tokenised:
            rows = sample.nonempty_split(split)
            device = resolve_device(self.device)
            texts = rows.texts if n_parts == 1 else [part[index] for index in range(n_parts) for part in rows.texts]
            table = TokenTable.of(encoder.tokenize(texts, max_tokens), device)
            labels = torch.tensor(rows.labels, dtype=objective.target, device=device)
            self._tokenised[key] = Labelled(table, labels, objective, n_parts)
        return self._tokenised[key]
