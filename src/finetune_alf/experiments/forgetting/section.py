"""The section `forgetting` of params.yaml, checked against the other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.forgetting.spec import ForgettingSpec
from finetune_alf.params.checks import Disagreement, RawParams, check_fits, without_classes
from finetune_alf.params.section import named_section


def _check(raw: RawParams, name: str, forgetting: dict[str, Any]) -> Iterator[Disagreement]:
    path = ("forgetting", name)
    yield from check_fits(raw, path, forgetting, compared_on="validation")
    yield from without_classes(raw, (*path, "sample"), forgetting.get("sample"))


SECTION = named_section("forgetting", ForgettingSpec, _check)
