"""The section `schemes` of params.yaml, checked against the other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.params.checks import Disagreement, RawParams, check_fits, metric_of
from finetune_alf.params.section import named_section


def _check(raw: RawParams, name: str, testbed: dict[str, Any]) -> Iterator[Disagreement]:
    score_on, metric = str(testbed.get("score_on", "validation")), metric_of(testbed)
    splits = ("validation", score_on)
    yield from check_fits(raw, ("schemes", name), testbed, metric=metric, splits=splits, compared_on=score_on)


SECTION = named_section("schemes", SchemesSpec, _check)
