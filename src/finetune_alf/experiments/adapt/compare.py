"""The comparison: the sample fine-tuned from the plain and from the adapted encoder, with the same seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.comparison import Predictions, differences_from, judged, mean_score, seeds_scores
from finetune_alf.compute import Precision
from finetune_alf.compute.environment import shares
from finetune_alf.data.mixture import AnySample
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import InputError
from finetune_alf.experiments.adapt.document import AdaptLine, Comparison, Variant
from finetune_alf.experiments.adapt.family import ADAPTED, FAMILY, PLAIN
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.cell_line import fields_of
from finetune_alf.jobs.job import FitJob
from finetune_alf.metric_names import Label, metrics_for
from finetune_alf.metrics import Metric, majority_baseline
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.result import FitResult, RecordedFit

VARIANTS: tuple[Variant, ...] = (PLAIN, ADAPTED)


@dataclass(frozen=True)
class Cell:
    """A fit from one of the two encoders, with one fit seed."""

    variant: Variant
    index: int
    seed: int

    @property
    def key(self) -> str:
        """The cell's name."""
        return f"{self.variant}/seed-{self.index}"


def comparison_metric(name: str, spec: AdaptSpec, sample: AnySample) -> str | None:
    """Return the metric of the comparison; None without one. InputError for a sample that cannot be scored by it."""
    if spec.recipe is None:
        return None
    if not isinstance(sample, Sample):
        raise InputError(f"adapt.{name}.recipe: must go with a sample of one task, but {sample.name} has several.")
    if not sample.splits["test"].labels:
        raise InputError(
            f"adapt.{name}.recipe: must go with a sample that has test texts, but {sample.name} has none. "
            "Raise its n_test, or drop the recipe."
        )
    suitable = metrics_for(sample.card.problem_type)
    metric = spec.metric or suitable[0]
    if metric not in suitable:
        raise InputError(
            f"adapt.{name}.metric: must be one of {', '.join(suitable)} for {sample.name}, but got {metric}. Change it."
        )
    return metric


def cells(spec: AdaptSpec) -> list[Cell]:
    """Return the cells, with the same seeds for both encoders."""
    return [
        Cell(variant, index, child_seed(spec.seed, "compare", index))
        for variant in VARIANTS
        for index in range(spec.n_seeds)
    ]


def cell_job(
    cell: Cell, recipe: Recipe, encoder: EncoderSpec, sample: str, precision: Precision, metric: str
) -> FitJob:
    """Return a cell as a job, scored on the test split."""
    return FitJob(cell.key, recipe, encoder, sample, cell.seed, precision, "test", metric)


def cell_line(cell: Cell, result: RecordedFit) -> AdaptLine:
    """Return a cell's line in the results."""
    return AdaptLine(variant=cell.variant, seed=cell.seed, **fields_of(result))


def compare(metric: Metric, truth: Sequence[Label], fits: Sequence[tuple[Cell, RecordedFit]]) -> Comparison:
    """Return the scores from both encoders and their paired difference, over the seeds that converged from both."""
    predictions = _predictions(fits)
    scores = {variant: seeds_scores(metric, truth, by_seed) for variant, by_seed in predictions.items() if by_seed}
    return Comparison(
        metric=metric.name,
        n_test=len(truth),
        majority_baseline=majority_baseline(metric, truth),
        n_seeds=len(predictions[ADAPTED]),
        diverged=tuple(cell.key for cell, result in fits if not result.predictions),
        environments=shares(result.environment for _, result in fits),
        scores={variant: mean_score(own) for variant, own in scores.items()},
        difference=judged(differences_from(PLAIN, scores), FAMILY).get(ADAPTED),
    )


def _predictions(fits: Sequence[tuple[Cell, FitResult]]) -> dict[Variant, Predictions]:
    """Return the predictions for the test texts by encoder and seed, of the seeds that converged from both."""
    predictions: dict[Variant, dict[int, Sequence[Label]]] = {variant: {} for variant in VARIANTS}
    for cell, result in fits:
        if result.predictions:
            predictions[cell.variant][cell.seed] = result.predictions
    shared = sorted(set(predictions[PLAIN]) & set(predictions[ADAPTED]))
    return {variant: {seed: by_seed[seed] for seed in shared} for variant, by_seed in predictions.items()}
