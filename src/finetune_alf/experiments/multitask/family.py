"""The declared family of a multi-task experiment: every cell against the baseline, by the overall score."""

from finetune_alf.comparison import Family
from finetune_alf.experiments.multitask.spec import MultitaskSpec

DESCRIBED = "each cell against the baseline, by the overall score"


def multitask_family(spec: MultitaskSpec) -> Family[str]:
    """Return the family of an experiment."""
    return Family(DESCRIBED, {name for name in spec.vary if name != spec.baseline})
