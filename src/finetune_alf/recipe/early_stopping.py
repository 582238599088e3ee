"""Early stopping: end a fit whose training loss no longer falls."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from finetune_alf.spec import Spec


class EarlyStopping(Spec):
    """Stop once the mean training loss of an epoch has not fallen by `min_delta` for `patience` epochs.

    The thesis (section 3.3.1) stops "if average training loss has stopped decreasing"; it gives no numbers.
    """

    patience: Annotated[int, Field(ge=1)] = 2
    min_delta: Annotated[float, Field(ge=0)] = 1e-3

    def should_stop(self, losses: Sequence[float]) -> bool:
        """Return whether the fit ends after these epochs' mean training losses."""
        best, n_waited = float("inf"), 0
        for loss in losses:
            if loss < best - self.min_delta:
                best, n_waited = loss, 0
            else:
                n_waited += 1
        return n_waited >= self.patience
