"""The section `adapt` of params.yaml, and its checks against other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.params.checks import (
    Disagreement,
    RawParams,
    batch_too_large,
    empty_splits,
    unknown,
    unsuitable_classes,
    unsuitable_metric,
    unsuitable_objective,
)
from finetune_alf.params.section import Section, named_section

WITHOUT_CHECKPOINT = ("adapted", "random")
"""The kinds of encoders that cannot be pre-trained further."""


def _check_entry(raw: RawParams, name: str, spec: dict[str, Any]) -> Iterator[Disagreement]:
    sample = spec.get("sample")
    yield from unknown(raw, ("adapt", name, "encoder"), spec.get("encoder"), "encoders")
    yield from unknown(raw, ("adapt", name, "sample"), sample, "samples")
    yield from batch_too_large(raw, ("adapt", name, "recipe", "batch"), spec, sample)
    yield from unsuitable_metric(raw, ("adapt", name, "metric"), spec.get("metric"), sample)
    encoder = raw.encoders.get(str(spec.get("encoder")))
    kind = encoder.get("kind") if isinstance(encoder, dict) else None
    if kind in WITHOUT_CHECKPOINT:
        yield ("adapt", name, "encoder"), f"must be a checkpoint with its own tokenizer, but got kind {kind}"
    if spec.get("recipe") is not None:
        yield from _check_comparison(raw, name, spec, sample)


def _check_comparison(raw: RawParams, name: str, spec: dict[str, Any], sample: object) -> Iterator[Disagreement]:
    """Yield what does not agree between the recipe, which the result is compared by, and the sample."""
    path = ("adapt", name, "recipe")
    if raw.tasks(sample):
        yield path, f"must go with a sample of one task, but {sample} is a mixture"
        return
    yield from empty_splits(raw, f"adapt.{name}", sample, ("validation", "test"))
    yield from unsuitable_objective(raw, (*path, "objective"), spec, sample)
    yield from unsuitable_classes(raw, path, spec, sample)


def _check(raw: RawParams) -> Iterator[Disagreement]:
    for name, encoder in raw.entries("encoders"):
        if encoder.get("kind") == "adapted":
            yield from unknown(raw, ("encoders", name, "adapt"), encoder.get("adapt"), "adapt")
    yield from ENTRIES.check(raw)


ENTRIES = named_section("adapt", AdaptSpec, _check_entry)
SECTION = Section(ENTRIES.key, ENTRIES.annotation, ENTRIES.default, _check)
