"""The section `freeze` of params.yaml, and its checks against other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.params.checks import Disagreement, RawParams, check_fits, empty_splits, names_in, unsuitable_metric
from finetune_alf.params.section import named_section


def _check(raw: RawParams, name: str, sweep: dict[str, Any]) -> Iterator[Disagreement]:
    yield from check_fits(raw, ("freeze", name), sweep, splits=())
    for sample in names_in(sweep, "samples"):
        has_test = all(spec.get("n_test") != 0 for _, spec in raw.drawn(sample))
        splits, compared_on = ("validation", "test")[: 1 + has_test], "test" if has_test else "validation"
        yield from empty_splits(raw, f"freeze.{name}", sample, splits, compared_on)
    metrics = sweep.get("metrics")
    for sample, listed in metrics.items() if isinstance(metrics, dict) else ():
        for index, metric in enumerate(listed if isinstance(listed, list) else ()):
            yield from unsuitable_metric(raw, ("freeze", name, "metrics", sample, index), metric, sample)


SECTION = named_section("freeze", FreezeSpec, _check)
