"""Does it help: the sample fine-tuned from the plain encoder and from the adapted one, under the same seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.data.mixture import AnySample
from finetune_alf.data.sample import Sample
from finetune_alf.documents import Estimate
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import InputError
from finetune_alf.experiments.adapt.document import AdaptLine, Comparison, Side, SidesDifference
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.cell_line import fields_of
from finetune_alf.experiments.comparison import Predictions, compare_with, score_of
from finetune_alf.metrics import majority_baseline, metrics_for
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.job import FitJob
from finetune_alf.train.result import FitResult

SIDES: tuple[Side, ...] = ("without", "with")


@dataclass(frozen=True)
class Cell:
    """A fit from one of the two encoders, under one fit seed."""

    side: Side
    index: int
    seed: int

    @property
    def key(self) -> str:
        """The cell's name."""
        return f"{self.side}/seed-{self.index}"


def comparison_metric(name: str, spec: AdaptSpec, sample: AnySample) -> str | None:
    """Return what the comparison is judged by; None without one. InputError where the sample has no such metric."""
    if spec.recipe is None:
        return None
    if not isinstance(sample, Sample):
        raise InputError(f"adapt.{name}.recipe: must go with a sample of one task, but {sample.name} has several.")
    if not sample.splits["test"].labels:
        raise InputError(
            f"adapt.{name}.recipe: must go with a sample that has test texts, but {sample.name} has none. "
            "Raise its n_test, or drop the recipe."
        )
    known = metrics_for("classification" if sample.card.label_names else "regression")
    metric = spec.metric or known[0]
    if metric not in known:
        raise InputError(
            f"adapt.{name}.metric: must be one of {', '.join(known)} for {sample.name}, but got {metric}. Change it."
        )
    return metric


def cells(spec: AdaptSpec) -> list[Cell]:
    """Return the cells, both sides under the same seeds."""
    return [
        Cell(side, index, child_seed(spec.seed, "compare", index)) for side in SIDES for index in range(spec.n_seeds)
    ]


def cell_job(cell: Cell, recipe: Recipe, encoder: EncoderSpec, sample: str, metric: str) -> FitJob:
    """Return a cell as a job, scored on the test split."""
    return FitJob(cell.key, recipe, encoder, sample, cell.seed, "test", metric)


def cell_line(cell: Cell, result: FitResult) -> AdaptLine:
    """Return a cell's line in the results."""
    return AdaptLine(side=cell.side, seed=cell.seed, **fields_of(result))


def compare(spec: AdaptSpec, metric: str, truth: Sequence[float], fits: Sequence[tuple[Cell, FitResult]]) -> Comparison:
    """Return both sides' scores and their paired difference, with minus without; None where no seed converged.

    Seeds that converged on both sides are compared. There is one comparison, so that p needs no correction.
    """
    predictions = _predictions(fits)
    seed, n_resamples = child_seed(spec.seed, "resamples"), spec.n_resamples
    differences = compare_with("without", metric, truth, predictions, n_resamples, lambda side: seed)
    tested = differences.get("with")
    scores: dict[Side, Estimate] = {
        side: score_of(metric, truth, own, n_resamples, seed) for side, own in predictions.items() if own
    }
    return Comparison(
        metric=metric,
        n_test=len(truth),
        majority=majority_baseline(metric, truth),
        n_seeds=len(predictions["with"]),
        diverged=tuple(cell.key for cell, result in fits if not result.predictions),
        sides=scores,
        difference=SidesDifference(**tested.model_dump()) if tested else None,
    )


def _predictions(fits: Sequence[tuple[Cell, FitResult]]) -> dict[Side, Predictions]:
    """Return what was predicted for each test text under the seeds that converged on both sides."""
    predictions: dict[Side, dict[int, Sequence[float]]] = {side: {} for side in SIDES}
    for cell, result in fits:
        if result.predictions:
            predictions[cell.side][cell.seed] = result.predictions
    shared = set(predictions["without"]) & set(predictions["with"])
    return {side: {seed: own[seed] for seed in sorted(shared)} for side, own in predictions.items()}
