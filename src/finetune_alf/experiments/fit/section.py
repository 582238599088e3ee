"""The section `fit` of params.yaml, checked against the other sections."""

from collections.abc import Iterator, Sequence
from typing import Any

from finetune_alf.experiments.fit.spec import RECOMMENDED, FitSpec
from finetune_alf.experiments.scheme_checks import checked_schemes, recipe_of_study, resting_head
from finetune_alf.experiments.scheme_spec import NAMES, AnyScheme, schemes_named
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
    listed = checked_schemes(raw.section("transfer").get("schemes"))
    yield from _no_scheme(listed, entry.get("scheme", RECOMMENDED), name)
    kinds, recipe = schemes_named(*NAMES), recipe_of_study(raw, name)
    scheme = next((each for each in (*listed, *kinds) if each.label == entry.get("scheme")), None)
    if scheme and recipe and (resting := resting_head(scheme, recipe)):
        yield (*path, "scheme"), f"must not be {resting} in study {name}"


def _no_scheme(listed: Sequence[AnyScheme], scheme: object, name: str) -> Iterator[Disagreement]:
    """Yield a scheme that is none."""
    labels = dict.fromkeys((RECOMMENDED, *NAMES, *(each.label for each in listed)))
    if isinstance(scheme, str) and scheme not in labels and not is_reference(scheme):
        yield (
            ("fit", name, "scheme"),
            f"must be {', '.join(labels)}, or a schedule, but got {scheme}",
        )


SECTION = named_section("fit", FitSpec, _check)
