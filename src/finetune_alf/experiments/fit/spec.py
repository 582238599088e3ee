"""The spec of a classifier to fit: an entry of the section `fit` in params.yaml, by the name of its study."""

from typing import Literal

from finetune_alf.spec import Spec


class FitSpec(Spec):
    """The scheme, by its settings in `transfer.schemes` where it is there, and the seed.

    `recommended` is what the report says to use. The fit is that of the first seed of a transfer with this seed: its
    weights are the same.
    """

    scheme: Literal["recommended", "baseline", "alf-1", "uniform", "probe"] = "recommended"
    seed: int = 1
