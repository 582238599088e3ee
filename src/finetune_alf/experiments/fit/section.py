"""The section `fit` of params.yaml, checked against the other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.fit.spec import RECOMMENDED, FitSpec
from finetune_alf.experiments.scheme_checks import checked_schemes
from finetune_alf.experiments.scheme_spec import NAMES
from finetune_alf.metric_names import LABELS
from finetune_alf.params.checks import Disagreement, RawParams, empty_splits, has_tasks, unknown
from finetune_alf.params.section import named_section
from finetune_alf.schedules.reference import is_reference


def _check(raw: RawParams, name: str, entry: dict[str, Any]) -> Iterator[Disagreement]:
    path, sample = ("fit", name), raw.sample_of(name)
    yield from unknown(raw, path, name, "studies")
    study = raw.section("studies").get(name)
    if raw.tasks(sample) or (isinstance(study, dict) and has_tasks(study)):
        yield path, f"must be a study of one task, but {name} is one of several"
    if raw.problem_type(sample) == "regression":
        yield path, f"must have labels that are classes, but those of {sample} are {LABELS['regression']}"
    yield from empty_splits(raw, f"fit.{name}", str(sample), ("validation", "test"))
    yield from _no_scheme(raw, entry.get("scheme", RECOMMENDED), name)


def _no_scheme(raw: RawParams, scheme: object, name: str) -> Iterator[Disagreement]:
    """Yield a scheme that is none."""
    listed = (each.label for each in checked_schemes(raw.section("transfer").get("schemes")))
    labels = dict.fromkeys((RECOMMENDED, *NAMES, *listed))
    if isinstance(scheme, str) and scheme not in labels and not is_reference(scheme):
        yield (
            ("fit", name, "scheme"),
            f"must be {', '.join(labels)}, or a schedule, but got {scheme}",
        )


SECTION = named_section("fit", FitSpec, _check)
