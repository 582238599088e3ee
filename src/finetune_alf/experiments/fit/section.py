"""The section `fit` of params.yaml, checked against the other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.fit.spec import FitSpec
from finetune_alf.params.checks import LABELS, Disagreement, RawParams, empty_splits, has_tasks, unknown
from finetune_alf.params.section import named_section


def _check(raw: RawParams, name: str, _: dict[str, Any]) -> Iterator[Disagreement]:
    path, sample = ("fit", name), raw.sample_of(name)
    yield from unknown(raw, path, name, "studies")
    study = raw.section("studies").get(name)
    if raw.tasks(sample) or (isinstance(study, dict) and has_tasks(study)):
        yield path, f"must be a study of one task, but {name} is one of several"
    if raw.problem_type(sample) == "regression":
        yield path, f"must have labels that are classes, but those of {sample} are {LABELS['regression']}"
    yield from empty_splits(raw, f"fit.{name}", str(sample), ("validation", "test"))


SECTION = named_section("fit", FitSpec, _check)
