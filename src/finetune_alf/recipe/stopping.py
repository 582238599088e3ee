"""When a fit has learned all that it will."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from finetune_alf.spec import Spec


class Stopping(Spec):
    """Stop once the mean training loss of an epoch has not fallen by `min_gain` for `patience` epochs.

    The thesis (section 3.3.1) stops "if average training loss has stopped decreasing"; it gives no numbers.
    """

    patience: Annotated[int, Field(ge=1)] = 2
    min_gain: Annotated[float, Field(ge=0)] = 1e-3

    def is_over(self, losses: Sequence[float]) -> bool:
        """Say whether the fit ends after these epochs' mean training losses."""
        best, waited = float("inf"), 0
        for loss in losses:
            if loss < best - self.min_gain:
                best, waited = loss, 0
            else:
                waited += 1
        return waited >= self.patience
