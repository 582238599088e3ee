"""The spec of a budget: an entry of the section `budget` in params.yaml."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from finetune_alf.documents import EncoderIdentity
from finetune_alf.identity import identity_of
from finetune_alf.metric_names import MetricName
from finetune_alf.paths import Name
from finetune_alf.recipe import ProbeRecipe, Recipe
from finetune_alf.recipe.recipe import forgetting_message
from finetune_alf.spec import Count, Spec
from finetune_alf.study.space import TiedSpace
from finetune_alf.study.spec import Sampler, TpeSampler

NOT_IN_A_REPLICATE = ("encoder", "samples", "n_replicates", "n_pilot", "margin", "keep")
"""Fields that change no replicate: which and how many there are, and how they are analysed."""


class BudgetSpec(Spec):
    """Searches of `n_fits` fits each, on draws of the samples, `n_replicates` of each sample.

    `space` and `sampler` are those of the search over layers; the other arms follow from them. `recipe` has the
    baseline's rates. A replicate's splits are drawn from the rows of a prepared sample outside of its test split. In
    each arm the best `n_top` rates by validation, and the baseline, are confirmed; the winner is tested. The fits of a
    search are scored on the first `n_search_test` test texts, all by default, which selects nothing. Arms are
    compared with `margin`, in points of the metric / 100, as the smallest gain of any use. After `n_pilot` replicates
    of each sample, the number that would be needed is estimated anew. Finished replicates are kept in the folder
    `keep` below the root, in place of results/.
    """

    encoder: Name
    samples: Annotated[tuple[Name, ...], Field(min_length=1)]
    metric: MetricName = "accuracy"
    """The score that all searches maximise."""
    recipe: Recipe
    space: TiedSpace
    sampler: Sampler = TpeSampler()
    decays: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=2)] = (
        0.5,
        0.7,
        0.8,
        0.9,
        0.95,
        1.0,
    )
    """The factors of the search for a rate and a decay."""
    n_fits: Count = 24
    n_top: Count = 3
    n_confirm_seeds: Count = 2
    """The fresh seeds of a confirmation."""
    n_test_seeds: Count = 3
    """The other seeds of a test."""
    n_permuted: Count = 3
    """How many other orders of the winner's rates are tested."""
    n_random: Count = 3
    """How many random rates by layer are tested."""
    n_train: Count
    """The training texts of a replicate."""
    n_validation: Count
    """Its validation texts."""
    n_confirmation: Count
    """Its confirmation texts."""
    n_search_test: Count | None = None
    n_replicates: Count
    n_pilot: Annotated[int, Field(ge=2)] = 3
    margin: Annotated[float, Field(gt=0)] = 0.01
    seed: Annotated[int, Field(ge=0)] = 1
    keep: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")] | None = None

    @model_validator(mode="after")
    def _check_space(self) -> Self:
        if self.recipe.tasks is not None:
            raise ValueError("recipe.tasks must be left out: a budget is for samples of one task")
        if self.recipe.may_forget_at(self.space.highest):
            raise ValueError(forgetting_message("space", self.space.highest))
        if self.space.blocks == "all":
            raise ValueError("space.blocks must leave several rates to search, but got all")
        if self.space.lowest == 0 and not self.recipe.trains_head:
            raise ValueError(
                "space must be above 0 where the head does not learn, since every draw is fitted, but got 0"
            )
        n_rates = len(self.space.positive_grid)
        if not 2 <= n_rates <= self.n_fits:
            raise ValueError(
                f"space must have from 2 to n_fits ({self.n_fits}) single rates above 0, since each of them is fitted, "
                f"but got {n_rates}"
            )
        return self

    @property
    def probe(self) -> ProbeRecipe:
        """The probe that is tested beside the arms."""
        return ProbeRecipe(
            max_tokens=self.recipe.max_tokens,
            truncation=self.recipe.truncation,
            class_weights=self.recipe.linear_class_weights,
        )

    def replicate_identity(self, sample: str, encoder: EncoderIdentity, index: int) -> dict[str, Any]:
        """Return all that changes the replicate of this index on a prepared sample, which is named by its digest.

        The precision is not among it: all fits of a replicate have the same one, so that it is no difference between
        arms, and replicates of several machines are one experiment. A line has its environments.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields if name not in NOT_IN_A_REPLICATE}
        own = {"sample": sample, "encoder": encoder.identity, "index": index}
        return identity_of({**fields, **own})
