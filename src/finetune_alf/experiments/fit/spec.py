"""The spec of a classifier to fit: an entry of the section `fit` in params.yaml, by the name of its study."""

from typing import Annotated

from pydantic import Field

from finetune_alf.data.spec import TrainOn
from finetune_alf.spec import ADDED_LATER, Spec

RECOMMENDED = "recommended"


class FitSpec(Spec):
    """The scheme, by its settings in `transfer.schemes` where it is there, the texts, and the seed.

    `recommended` is what the report says to use. Other schemes are named as in `transfer.schemes`: a kind, the name of
    one there, or a schedule. The fit is that of the first seed of a transfer with this seed: its weights are the same.
    With `train_on: all` a second fit follows, on all labelled texts of the source but the test texts.
    """

    scheme: Annotated[str, Field(min_length=1)] = RECOMMENDED
    """The scheme that is fitted; by default the recommended one."""
    seed: int = 1
    train_on: Annotated[TrainOn, ADDED_LATER] = "train"
