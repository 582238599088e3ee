"""Jobs as fused fits: which of them can share one, and one group of them."""

from collections.abc import Generator, Hashable, Sequence

from finetune_alf.errors import AlfError
from finetune_alf.execute.jobs import OnReport, Outcome
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.loader import FitLoader
from finetune_alf.recipe import Recipe
from finetune_alf.train.fused import fit_fused, fusion_key
from finetune_alf.train.result import FitResult


def fusible_groups(jobs: Sequence[FitJob], loader: FitLoader) -> list[list[FitJob]]:
    """Return the jobs in groups that differ in rates only; a job that cannot be fused is a group of its own."""
    groups: dict[Hashable, list[FitJob]] = {}
    for job in jobs:
        groups.setdefault(_key(job, loader), []).append(job)
    return list(groups.values())


def fit_group(
    jobs: Sequence[FitJob], loader: FitLoader, micro_batch: int | None, report: OnReport
) -> Generator[Outcome[FitJob, FitResult]]:
    """Run a group of jobs as one fused fit, and yield each outcome as it ends."""
    first = jobs[0]
    encoder, tasks = loader.load(first)
    (splits,) = tasks.values()
    results = fit_fused(
        encoder,
        splits,
        [job.fine_tuning for job in jobs],
        first.seed,
        precision=first.precision,
        micro_batch=micro_batch,
        report=lambda number, metrics: report(jobs[number], metrics),
    )
    for number, result in results:
        yield Outcome(jobs[number], result, None)


def _key(job: FitJob, loader: FitLoader) -> Hashable:
    """Return what the jobs of a group have in common; of a job that cannot be fused, what no other has."""
    if not isinstance(job.recipe, Recipe):
        return id(job)
    try:
        encoder, _ = loader.load(job)
        recipe_key = fusion_key(encoder, job.recipe)
    except AlfError:
        return id(job)  # run alone, it reports this error
    settings = (job.encoder.model_dump_json(), job.sample, job.seed, job.precision, job.score_on, job.metric)
    return id(job) if recipe_key is None else (settings, recipe_key)
