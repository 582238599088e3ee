"""The declared family of a testbed: what changes plain fine-tuning in one thing, on all samples."""

from finetune_alf.comparison import Family
from finetune_alf.experiments.schemes.combination import Combination
from finetune_alf.experiments.schemes.rules import FIXED, parts_of
from finetune_alf.experiments.schemes.spec import SchemesSpec

SampleCombination = tuple[str, str]
"""A sample and a combination's name."""

DESCRIBED = "what differs from `fixed` in one thing (a scheme, an adapter or a curve), on all samples"


def schemes_family(spec: SchemesSpec) -> Family[SampleCombination]:
    """Return the family of a testbed: every combination with one change, on every sample."""
    names = [combination.name for combination in spec.combinations if _n_changes(combination) == 1]
    return Family(DESCRIBED, {(sample, name) for sample in spec.samples for name in names})


def _n_changes(combination: Combination) -> int:
    schemes = 0 if combination.scheme == FIXED else len(parts_of(combination.scheme))
    return schemes + (combination.adapter is not None) + (combination.curve.kind != "constant")
