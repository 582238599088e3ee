"""The spec of further pre-training: an entry `adapt.<name>` of params.yaml."""

import math
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from finetune_alf.data.readers.format import FileFormat
from finetune_alf.metric_names import MetricName
from finetune_alf.paths import Name
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.spec import Count, PositiveRate, Spec

_COMPARISON = {"recipe", "metric", "n_seeds"}
_OF_LINES = {"encoding"}
"""What a file that is no table has of a format."""


class WarmUpHead(Spec):
    """How a new masked language modelling head is trained, if the checkpoint has none; the encoder is frozen."""

    n_steps: Count = 200
    """The steps of the head alone."""
    rate: PositiveRate = 1e-3
    """The rate of the head in these steps."""


class AdaptSpec(FileFormat):
    """An encoder, the texts of its further pre-training, for how long, and a recipe to compare the result by.

    The texts are those of the sample's training split, or the lines of `file`, or, if that is a table, its `column`.
    The settings for how the file is written are those of a source of files.
    The sample is always needed: texts of its other splits are excluded, and the comparison is made on it. A text longer
    than `max_tokens` is cut into pieces. Either `epochs` or `n_steps` is given; a step takes `batch` pieces. The rate
    rises over the first `warmup_frac` of the steps, then falls to 0. `mask_frac` of the tokens are predicted, chosen
    one by one or as `whole_words`. With a `recipe`, plain and adapted encoder are fine-tuned with `n_seeds` seeds and
    compared on the test split by `metric`; the default is accuracy, or Pearson's correlation for scores. Fewer seeds
    than the default have no verdict.

    Rate, batch, tokens and warm-up are those of Sun et al. 2019, section 5.1, who take 100,000 steps; `mask_frac` is
    that of Devlin et al. 2019, section 3.1.
    """

    encoder: Name
    sample: Name
    file: Annotated[str, Field(min_length=1)] | None = None
    column: Annotated[str, Field(min_length=1)] | None = None
    epochs: Count | None = None
    n_steps: Count | None = None
    batch: Count = 32
    max_tokens: Annotated[int, Field(ge=3)] = 128
    rate: PositiveRate = 5e-5
    """The highest learning rate."""
    warmup_frac: Annotated[float, Field(ge=0, lt=1)] = 0.1
    mask_frac: Annotated[float, Field(gt=0, lt=1)] = 0.15
    whole_words: bool = False
    warm_up_head: WarmUpHead = WarmUpHead()
    """How a new head is trained first, where the checkpoint has none."""
    seed: Annotated[int, Field(ge=0)] = 1
    recipe: Recipe | None = None
    metric: MetricName | None = None
    n_seeds: Count = MIN_SEEDS

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.epochs is None) == (self.n_steps is None):
            given = "neither" if self.epochs is None else "both"
            raise ValueError(f"epochs or n_steps must be given, one of them, but got {given}")
        if self.column is not None and self.file is None:
            raise ValueError(
                f"column must go with a file, but got {self.column} without one; name the file, or drop it"
            )
        allowed = set(FileFormat.model_fields) if self.column else _OF_LINES if self.file else set()
        if odd := [name for name in self.format_settings() if name not in allowed]:
            raise ValueError(f"{odd[0]} must go with a {'column' if self.file else 'file'}, but has none; leave it out")
        if self.recipe is not None and self.recipe.tasks is not None:
            raise ValueError("recipe must be of one task, but has tasks; leave them out")
        return self

    def training(self) -> dict[str, Any]:
        """Return the settings that the adapted weights depend on, as JSON: all but those of the comparison."""
        unset = set(FileFormat.model_fields) - set(self.format_settings())
        return self.model_dump(mode="json", exclude=_COMPARISON | unset)

    def n_steps_for(self, n_pieces: int) -> int:
        """Return the number of training steps on so many pieces of text."""
        return self.n_steps or (self.epochs or 1) * math.ceil(n_pieces / self.batch)
