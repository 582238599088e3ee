"""The search space of a study: which learning rates a trial may have, and the distance between two of them."""

from typing import Annotated

from pydantic import Field

from finetune_alf.study.decayed_space import DecayedSpace
from finetune_alf.study.tied_space import PARAM_PREFIX, ChoicesSpace, LogSpace, TiedSpace

__all__ = ["PARAM_PREFIX", "AnySpace", "ChoicesSpace", "DecayedSpace", "LogSpace", "Space", "TiedSpace"]

AnySpace = ChoicesSpace | LogSpace | DecayedSpace

Space = Annotated[AnySpace, Field(discriminator="kind")]
