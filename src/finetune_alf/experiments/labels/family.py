"""The declared family of a labels experiment: every scheme with the fewest texts."""

from finetune_alf.comparison import Family
from finetune_alf.experiments.labels.spec import LabelsSpec

Key = tuple[str, str, int]
"""A sample, a scheme and a number of training texts."""

DESCRIBED = "every scheme against the baseline with the fewest training texts, on all samples"


def labels_family(spec: LabelsSpec) -> Family[Key]:
    """Return the family of an experiment."""
    others = [scheme.label for scheme in spec.schemes if scheme.label != spec.baseline]
    return Family(DESCRIBED, {(sample, scheme, spec.n_train[0]) for sample in spec.samples for scheme in others})
