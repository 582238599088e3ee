"""The section `labels` of params.yaml, checked against the other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.labels.spec import LabelsSpec
from finetune_alf.experiments.scheme_checks import contrastive_on_scores
from finetune_alf.params.checks import (
    Disagreement,
    RawParams,
    batch_above,
    drawn_by_class,
    empty_splits,
    metric_of,
    names_in,
    unknown,
    unknown_each,
    unsuitable_classes,
    unsuitable_metric,
    unsuitable_objective,
)
from finetune_alf.params.section import named_section

POOL = ("n_train", "n_validation", "n_confirmation")


def _check(raw: RawParams, name: str, labels: dict[str, Any]) -> Iterator[Disagreement]:
    path = ("labels", name)
    yield from unknown(raw, (*path, "encoder"), labels.get("encoder"), "encoders")
    yield from unknown_each(raw, (*path, "samples"), labels.get("samples"), "samples")
    yield from unsuitable_metric(raw, (*path, "metric"), metric_of(labels), *names_in(labels, "samples"))
    given = labels.get("n_train")
    numbers = [number for number in given if isinstance(number, int)] if isinstance(given, list) else []
    smallest = min(numbers, default=None)
    yield from batch_above((*path, "recipe", "batch"), labels.get("recipe"), smallest, "the smallest n_train")
    for index, sample in enumerate(names_in(labels, "samples")):
        yield from contrastive_on_scores(raw, (*path, "samples", index), labels.get("schemes"), sample)
        yield from unsuitable_objective(raw, (*path, "recipe", "objective"), labels, sample)
        yield from unsuitable_classes(raw, (*path, "recipe"), labels, sample)
        yield from drawn_by_class(raw, (*path, "samples", index), sample)
        yield from empty_splits(raw, ".".join(path), sample, ("test",))
        yield from _too_few_rows(raw, name, labels, sample)


def _too_few_rows(raw: RawParams, name: str, labels: dict[str, Any], sample: str) -> Iterator[Disagreement]:
    """Yield numbers of texts that a sample does not have outside of its test split."""
    own = raw.samples.get(sample)
    rows: list[Any] = [own.get(key) for key in POOL] if isinstance(own, dict) else [None]
    given = labels.get("n_train")
    numbers: list[Any] = given if isinstance(given, list) and given else [None]
    n_validation = labels.get("n_validation", 32)
    if not all(isinstance(number, int) for number in (*rows, *numbers, n_validation)):
        return
    largest = sum(rows) - n_validation
    if max(numbers) > largest:
        yield (
            ("labels", name, "n_train"),
            f"must be at most {largest}, the rows of sample {sample} outside of its test split without n_validation, "
            f"but got {max(numbers)}",
        )


SECTION = named_section("labels", LabelsSpec, _check)
