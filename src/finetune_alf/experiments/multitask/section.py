"""The section `multitask` of params.yaml, checked against the other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.multitask.spec import MultitaskSpec
from finetune_alf.params.checks import Disagreement, RawParams, check_fits
from finetune_alf.params.section import named_section


def _check(raw: RawParams, name: str, experiment: dict[str, Any]) -> Iterator[Disagreement]:
    score_on = str(experiment.get("score_on", "test"))
    splits = ("validation", score_on)
    yield from check_fits(raw, ("multitask", name), experiment, splits=splits, compared_on=score_on)


SECTION = named_section("multitask", MultitaskSpec, _check)
