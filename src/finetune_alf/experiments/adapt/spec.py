"""What is asked of further pre-training, as it stands in params.yaml under `adapt.<name>`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from finetune_alf.metrics import MetricName
from finetune_alf.paths import Name
from finetune_alf.recipe import Recipe
from finetune_alf.spec import Spec

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, le=1)]

_COMPARISON = {"recipe", "metric", "n_seeds", "n_resamples"}


class WarmUpHead(Spec):
    """How a fresh masked-language head learns, the body frozen; used only where the checkpoint has no such head."""

    n_steps: Count = 200
    rate: Rate = 1e-3


class AdaptSpec(Spec):
    """Which encoder is trained further, on which texts, how long; and the recipe that shows whether it helps.

    The texts are those of the sample's training split, or the lines of `file`, or, where that is a table, its `column`.
    The sample is always named: no text of its other splits is learned from, and the comparison is made on it. A text
    longer than `max_tokens` is cut into pieces, so that all of it is learned from. Either `epochs` or `n_steps` says
    how long; a step takes `batch` pieces. The rate rises over the first `warmup_frac` of the steps, then falls to 0.
    `mask_frac` of the tokens have to be told, chosen one by one or as `whole_words`. With a `recipe`, plain and adapted
    encoder are fine-tuned over `n_seeds` and compared on the test split by `metric`: accuracy, or Pearson's correlation
    of scores, unless another is named.

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
    rate: Rate = 5e-5
    warmup_frac: Annotated[float, Field(ge=0, lt=1)] = 0.1
    mask_frac: Annotated[float, Field(gt=0, lt=1)] = 0.15
    whole_words: bool = False
    warm_up_head: WarmUpHead = WarmUpHead()
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    seed: Annotated[int, Field(ge=0)] = 1
    recipe: Recipe | None = None
    metric: MetricName | None = None
    n_seeds: Count = 3
    n_resamples: Annotated[int, Field(ge=100)] = 2000

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.epochs is None) == (self.n_steps is None):
            given = "neither" if self.epochs is None else "both"
            raise ValueError(f"epochs or n_steps must be given, one of them, but got {given}")
        if self.column is not None and self.file is None:
            raise ValueError(
                f"column must go with a file, but got {self.column} without one; name the file, or drop it"
            )
        if self.recipe is not None and self.recipe.tasks is not None:
            raise ValueError("recipe must be of one task, but has tasks; leave them out")
        return self

    def training(self) -> dict[str, Any]:
        """Return what the adapted weights depend on, as JSON; the comparison is not among it."""
        return self.model_dump(mode="json", exclude=_COMPARISON)
