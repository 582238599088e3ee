"""Does it help: the sample fine-tuned from the plain encoder and from the adapted one, under the same seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from finetune_alf.data.mixture import AnySample
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import InputError
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.metrics import METRICS, majority_baseline, metrics_of
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.stats import score_difference, score_interval, verdict
from finetune_alf.train.job import FitJob
from finetune_alf.train.result import FitResult

Side = Literal["without", "with"]
SIDES: tuple[Side, ...] = ("without", "with")

Predictions = Mapping[Side, Mapping[int, Sequence[float]]]
"""side -> fit seed -> what was predicted for each test text; diverged fits predicted nothing."""


@dataclass(frozen=True)
class Cell:
    """A fit from one of the two encoders, under one fit seed."""

    side: Side
    seed: int


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
    known = metrics_of("classes" if sample.card.label_names else "score")
    metric = spec.metric or known[0]
    if metric not in known:
        raise InputError(
            f"adapt.{name}.metric: must be one of {', '.join(known)} for {sample.name}, but got {metric}. Change it."
        )
    return metric


def cells(spec: AdaptSpec) -> dict[str, Cell]:
    """Return the cells by key, both sides under the same seeds."""
    return {
        f"{side}/seed-{index}": Cell(side, child_seed(spec.seed, "compare", index))
        for side in SIDES
        for index in range(spec.n_seeds)
    }


def cell_job(key: str, recipe: Recipe, encoder: EncoderSpec, sample: str, seed: int, metric: str) -> FitJob:
    """Return a cell as a job, scored on the test split."""
    return FitJob(key, recipe, encoder, sample, seed, "test", metric)


def cell_record(cell: Cell, result: FitResult) -> dict[str, Any]:
    """Return a cell's line in the results."""
    told = result.model_dump(mode="json", include={"score", "loss", "seconds", "stopped", "epochs"})
    return {"side": cell.side, "seed": cell.seed, **told}


def diverged(grid: Mapping[str, Cell], results: Mapping[str, FitResult]) -> list[str]:
    """Return the keys of the cells that have no score."""
    return [key for key in grid if not results[key].predictions]


def predictions_of(grid: Mapping[str, Cell], results: Mapping[str, FitResult]) -> Predictions:
    """Return what was predicted under the seeds that converged on both sides."""
    said: dict[Side, dict[int, Sequence[float]]] = {side: {} for side in SIDES}
    for key, cell in grid.items():
        if results[key].predictions:
            said[cell.side][cell.seed] = results[key].predictions
    shared = set(said["without"]) & set(said["with"])
    return {side: {seed: own[seed] for seed in sorted(shared)} for side, own in said.items()}


def compare(spec: AdaptSpec, metric: str, truth: Sequence[float], said: Predictions) -> dict[str, Any]:
    """Return both sides' scores and their paired difference, with minus without; None where no seed converged.

    There is one comparison, so that p needs no correction.
    """
    about = {
        "metric": metric,
        "n_test": len(truth),
        "majority": majority_baseline(metric, truth),
        "n_seeds": len(said["with"]),
    }
    if not said["with"]:
        return {**about, "sides": {}, "difference": None}
    measure, drawn = METRICS[metric], child_seed(spec.seed, "resamples")
    rows = {side: list(own.values()) for side, own in said.items()}
    difference = score_difference(measure, truth, rows["with"], rows["without"], drawn, spec.n_resamples)
    return {
        **about,
        "sides": {
            side: asdict(score_interval(measure, truth, own, spec.n_resamples, drawn)) for side, own in rows.items()
        },
        "difference": {**asdict(difference), "verdict": verdict(difference, difference.p)},
    }
