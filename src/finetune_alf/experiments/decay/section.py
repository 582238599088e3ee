"""The section `decay` of params.yaml, checked against the other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.decay.spec import DecaySpec
from finetune_alf.params.checks import Disagreement, RawParams, check_fits, without_classes
from finetune_alf.params.section import named_section


def _check(raw: RawParams, name: str, decay: dict[str, Any]) -> Iterator[Disagreement]:
    path = ("decay", name)
    yield from check_fits(raw, path, decay, splits=("validation", "test"))
    yield from without_classes(raw, (*path, "sample"), decay.get("sample"))


SECTION = named_section("decay", DecaySpec, _check)
