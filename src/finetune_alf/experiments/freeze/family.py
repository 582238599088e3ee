"""The declared family of a sweep: every level against the full model, by each sample's first metric."""

from collections.abc import Mapping

from finetune_alf.comparison import Family, judged
from finetune_alf.experiments.freeze.document import LevelResult, SampleTable
from finetune_alf.experiments.freeze.levels import FULL_MODEL

SampleLevel = tuple[str, str, str]
"""A sample, a metric and a level."""

DESCRIBED = "each level against the full model, by the metric that selected the rate, on all samples"


def freeze_family(tables: Mapping[str, SampleTable]) -> Family[SampleLevel]:
    """Return the family of a sweep."""
    return Family(
        DESCRIBED,
        {
            (sample, table.metric, level)
            for sample, table in tables.items()
            for level in table.levels
            if level != FULL_MODEL
        },
    )


def judged_tables(tables: Mapping[str, SampleTable]) -> dict[str, SampleTable]:
    """Return the tables of a sweep's samples with their verdicts."""
    differences = {
        (sample, metric, level): difference
        for sample, table in tables.items()
        for level, result in table.levels.items()
        for metric, difference in result.differences.items()
        if difference
    }
    verdicts = judged(differences, freeze_family(tables))

    def with_verdicts(sample: str, level: str, result: LevelResult) -> LevelResult:
        found = {metric: verdicts.get((sample, metric, level)) for metric in result.differences}
        return result.model_copy(update={"differences": found})

    return {
        sample: table.model_copy(
            update={"levels": {name: with_verdicts(sample, name, result) for name, result in table.levels.items()}}
        )
        for sample, table in tables.items()
    }
