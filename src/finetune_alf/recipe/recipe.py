"""The Recipe: rates, optimizer, curve, unfreezing, early stopping, and the sizes of a fit."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finetune_alf.rates import (
    EMBEDDINGS,
    HEAD,
    Address,
    FrozenBelow,
    LayerRates,
    ListedRates,
    RatesPolicy,
    setting_text,
)
from finetune_alf.rates import adapter as adapter_address
from finetune_alf.recipe.adapter import Adapter
from finetune_alf.recipe.classes import ClassSampling, ClassWeights
from finetune_alf.recipe.curve import ConstantCurve, Curve
from finetune_alf.recipe.early_stopping import EarlyStopping
from finetune_alf.recipe.objective import Contrastive
from finetune_alf.recipe.optimizer import AdamW, Optimizer
from finetune_alf.recipe.tasks import TasksSpec
from finetune_alf.recipe.unfreezing import ImmediateUnfreezing, Unfreezing
from finetune_alf.spec import ADDED_LATER, PERMISSION, Count, Spec

FORGETTING_BOUND = 1e-4
"""The highest rate at which BERT showed no catastrophic forgetting (Sun et al. 2019, section 5.3.2)."""

NOTHING_LEARNS = "rates must be above 0 at an address that learns from the first epoch on, but got 0 at all of them"
"""The message that refuses rates at which no weight ever changes."""


Pooling = Literal["first", "mean"]
"""What the head reads of a text: the top layer's output for its first token, or the mean over all its tokens."""

Truncation = Literal["head", "tail", "head_tail"]
"""What is kept of a text that is too long: its beginning, its end, or a quarter from the beginning and the rest."""

Pooler = Literal["learns", "frozen"]
"""What becomes of a pre-trained pooler: it learns at the head's rate, or stays as it is."""


class Recipe(Spec):
    """All that a fit needs besides data and encoder."""

    rates: RatesPolicy
    """The learning rates, by a rule for any depth."""
    epochs: Count
    """How often the training split is gone through."""
    batch: Count
    """The number of texts in a step."""
    max_tokens: Annotated[int, Field(ge=3)]
    """The tokens of a text that are read; of a pair the longer text is cut first."""
    optimizer: Optimizer = AdamW()
    """The optimizer."""
    curve: Curve = ConstantCurve()
    """What multiplies all rates from step to step."""
    unfreezing: Unfreezing = ImmediateUnfreezing()
    """From which epoch each address learns."""
    early_stopping: EarlyStopping | None = None
    """When a fit ends before its last epoch; without it, never."""
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    """The largest gradient norm; `null` clips nothing."""
    keep: Literal["last", "best"] = "last"
    """Whose weights are kept: those of the last epoch, or of the one with the best validation metric."""
    frozen_dropout: Literal["on", "off"] = "on"
    """Whether the frozen layers at the bottom have dropout.

    With `off` their outputs are computed once: not the same as plain fine-tuning, and much faster.
    """
    allow_forgetting: Annotated[bool, PERMISSION] = False
    """Permits rates above 1e-4, the FORGETTING_BOUND, and changes no fit."""
    adapter: Adapter | None = None
    """An adapter in each layer of the frozen encoder; that of a layer learns at the layer's rate."""
    tasks: TasksSpec | None = None
    """Makes it a recipe of several tasks, whose sample is a mixture."""
    pooling: Annotated[Pooling, ADDED_LATER] = "first"
    """What the head reads: a text's first token, or the mean over its tokens, special ones included."""
    pooler: Annotated[Pooler, ADDED_LATER] = "learns"
    """Whether a pre-trained pooler, such as BERT's, learns at the head's rate."""
    steps_per_epoch: Count | None = None
    """The length of an epoch, after which the model is evaluated; without it an epoch is once over the texts.

    Other epochs do not change the order of the texts.
    """
    objective: Contrastive | None = None
    """What the encoder is trained for, with a head of scikit-learn's in place of its own."""
    class_weights: ClassWeights | None = None
    """For uneven classes: what the losses of their texts are multiplied by."""
    class_sampling: Annotated[ClassSampling, ADDED_LATER] = "natural"
    """For uneven classes: with `balanced` an epoch has as many texts of each class."""
    truncation: Annotated[Truncation, ADDED_LATER] = "head"
    """Which tokens of a longer text are read: its beginning, its end, or a quarter at the beginning and the rest."""

    @property
    def linear_class_weights(self) -> ClassWeights | None:
        """The class weights of a linear model under this recipe: it draws no batches, and is weighted instead."""
        return self.class_weights or ("balanced" if self.class_sampling == "balanced" else None)

    @property
    def loss_weights(self) -> ClassWeights | None:
        """The class weights of the loss, which is that of a linear head where there is an objective."""
        return self.linear_class_weights if self.objective else self.class_weights

    @model_validator(mode="after")
    def _check_forgetting_bound(self) -> Self:
        if self.may_forget_at(self.rates.highest):
            raise ValueError(forgetting_message("rates", self.rates.highest))
        return self

    @model_validator(mode="after")
    def _check_something_learns(self) -> Self:
        if not self.learns(_with_an_open_layer(self.rates)):
            raise ValueError(NOTHING_LEARNS)
        return self

    @model_validator(mode="after")
    def _check_steps_per_epoch(self) -> Self:
        if self.steps_per_epoch and self.tasks and self.tasks.steps_per_epoch:
            raise ValueError(
                "tasks.steps_per_epoch must be absent where steps_per_epoch is given, "
                f"but got {self.tasks.steps_per_epoch}. Leave it out."
            )
        return self

    @model_validator(mode="after")
    def _check_objective(self) -> Self:
        if self.objective and self.tasks:
            raise ValueError(
                "objective must be absent where tasks are given, but got contrastive. Leave out one of them."
            )
        if self.objective and self.pooling != "mean":
            raise ValueError("pooling must be mean where an objective is given, but got first. Set `pooling: mean`.")
        return self

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        given = [f"class_weights: {self.class_weights}"] if self.class_weights else []
        given += ["class_sampling: balanced"] if self.class_sampling == "balanced" else []
        if len(given) > 1:
            raise ValueError(
                "class_sampling must be natural where class_weights are given, but got balanced. Leave out one of them."
            )
        if given and self.tasks:
            raise ValueError(f"tasks must be absent where classes are weighted, but got {given[0]}. Leave it out.")
        return self

    def may_forget_at(self, rate: float) -> bool:
        """Return whether a rate for embeddings or a layer is refused under this recipe.

        The head, SGD, and adapters, with which the encoder is frozen, are exempt.
        """
        exempt = self.allow_forgetting or self.adapter is not None
        return rate > FORGETTING_BOUND and isinstance(self.optimizer, AdamW) and not exempt

    def learns(self, rates: LayerRates) -> bool:
        """Return whether anything learns at these rates, from the first epoch on.

        With an adapter the embeddings do not learn, under an objective the head does not.
        """
        never = {address for address, spec in ((EMBEDDINGS, self.adapter), (HEAD, self.objective)) if spec}
        first = (address for address in rates if self.unfreezing.is_unfrozen(address, 0, rates.n_layers))
        return any(rates[address] > 0 for address in first if address not in never)

    @property
    def trains_head(self) -> bool:
        """Whether the head learns, so that something does where all else is frozen."""
        return self.learns(LayerRates.of(0.0, [0.0], _with_an_open_layer(self.rates)[HEAD]))

    def rates_at(self, n_layers: int) -> dict[Address, float]:
        """Return the rates at this depth to log: with an adapter, those of the adapters instead of their layers."""
        rates = self.rates.at(n_layers)
        if self.adapter is None:
            return dict(rates)
        return {**{adapter_address(index): rate for index, rate in enumerate(rates.layers)}, HEAD: rates[HEAD]}

    def with_rates(self, rates: LayerRates) -> Self:
        """Return the same recipe with these rates written out."""
        return self.model_copy(update={"rates": ListedRates.from_rates(rates)})


def why_head_rests(recipe: Recipe) -> str:
    """Return why the head of a recipe, which `trains_head` denies, does not learn."""
    return "recipe.rates.head is 0" if recipe.rates.head == 0 else "under recipe.objective it does not learn"


def _with_an_open_layer(rates: RatesPolicy) -> LayerRates:
    """Return the rates at a depth at which something learns, if it does at any."""
    if isinstance(rates, FrozenBelow) and rates.n_frozen != "all":
        rates = rates.model_copy(update={"n_frozen": 0})
    return rates.at(len(rates.layers) if isinstance(rates, ListedRates) else 1)


def forgetting_message(where: str, rate: float) -> str:
    """Return the message that refuses a rate."""
    return (
        f"{where} must be at most {setting_text(FORGETTING_BOUND)} for embeddings and layers under AdamW, but got "
        f"{setting_text(rate)}: higher rates cause catastrophic forgetting (Sun et al. 2019). "
        "Lower it, or set `allow_forgetting: true` in the recipe."
    )
