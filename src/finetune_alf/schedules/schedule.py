"""The Schedule: a Recipe with a rate for each address, its provenance, and its confirmed score.

It is a JSON document, never code or a pickle. Its digest is that of its identity, which leaves out nulls, so that a
new optional field does not change the digests of existing schedules. Reading one needs neither torch nor MLflow: what
needs them is in other modules, loaded by the method that is called.
"""

import json
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import ValidationError, model_validator

from finetune_alf.checksums import CHECKSUM, checksum_of_json, digest
from finetune_alf.errors import InputError, ScheduleError
from finetune_alf.identity import identity_of
from finetune_alf.paths import Name
from finetune_alf.rates import LayerRates, ListedRates, addresses
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.recipe import NOTHING_LEARNS
from finetune_alf.schedules.document import parse_document
from finetune_alf.schedules.provenance import ConfirmedScore, Provenance
from finetune_alf.schedules.schema import check_checksum, check_schema, drop_schema_link, error_list
from finetune_alf.spec import Spec

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.optim import Optimizer
    from transformers import TrainerCallback, TrainingArguments

    from finetune_alf.encoder.encoder import Encoder
    from finetune_alf.schedules.applied import AppliedRates
    from finetune_alf.schedules.difference import ScheduleDifference
    from finetune_alf.train.optimizer import ParamGroup


class Schedule(Spec):
    """A recipe with listed rates, its provenance, and its confirmed score if it has one."""

    schema_version: Literal[2] = 2
    name: Name
    recipe: Recipe
    provenance: Provenance
    confirmed: ConfirmedScore | None = None

    @model_validator(mode="after")
    def _check_rates(self) -> Self:
        rates = self.recipe.rates
        if not isinstance(rates, ListedRates) or len(rates.layers) != self.provenance.n_layers:
            raise ValueError(
                f"recipe.rates must list {self.provenance.n_layers} layers, as many as provenance.n_layers"
            )
        if not self.recipe.learns(self.rates):
            raise ValueError(f"recipe.{NOTHING_LEARNS}")
        return self

    @property
    def rates(self) -> LayerRates:
        """The learning rate of each address."""
        return self.recipe.rates.at(self.provenance.n_layers)

    @property
    def digest(self) -> str:
        """The SHA-256 of the identity's canonical JSON, as 64 hex digits."""
        return digest(identity_of(dict(self)))

    def for_depth(self, n_layers: int) -> LayerRates:
        """Return the rates for an encoder of the schedule's own depth. Raises ScheduleError for any other depth."""
        own = self.provenance.n_layers
        if n_layers == own:
            return self.rates
        pairs = zip_longest(addresses(own)[1:-1], addresses(n_layers)[1:-1])
        odd = [f"{ours} is not in the encoder" if ours else f"{its} has no rate" for ours, its in pairs if ours != its]
        raise ScheduleError(
            f"schedule {self.name}: must have rates for an encoder of {n_layers} layers, but got {own}: "
            f"{', '.join(odd[:3])}{' …' if odd[3:] else ''}. "
            f"To stretch the rates to this depth, use schedule.stretch({n_layers})."
        )

    @classmethod
    def pull(cls, ref: str, uri: str | None = None, *, allow_forgetting: bool = False) -> "Schedule":
        """Return the schedule of a reference, as `finetune_alf.pull` does."""
        from finetune_alf.schedules.pull import pull

        return pull(ref, uri, allow_forgetting=allow_forgetting)

    @classmethod
    def load(cls, file: str | Path) -> "Schedule":
        """Read a schedule from a file, JSON or YAML. Raises ScheduleError with the path."""
        from finetune_alf.schedules.pull import read_schedule

        return read_schedule(Path(file))

    @classmethod
    def published(cls, name: str) -> "Schedule":
        """Return a schedule of the thesis, such as `distilbert-alf-1`. Raises ScheduleError for any other name."""
        from finetune_alf.schedules.published import published

        return published(name)

    def apply(self, model: "Module | Encoder") -> "AppliedRates":
        """Freeze what has a rate of 0, and return a table of what lies at each address and at which rate it learns.

        Raises ScheduleError for a model of another depth, or without the adapters that the schedule was found with, and
        EncoderError for one whose parameters have no address.
        """
        from finetune_alf.schedules.applied import apply

        return apply(self, model)

    def param_groups(self, model: "Module | Encoder", *, weight_decay: float | None = None) -> "list[ParamGroup]":
        """Return groups for an optimizer, one for each address that learns; two where its norms have no weight decay.

        The weight decay is the recipe's unless given. Freezes and raises as `apply` does.
        """
        from finetune_alf.schedules.applied import groups_of

        return groups_of(self, model, weight_decay)

    def optimizer(self, model: "Module | Encoder") -> "Optimizer":
        """Return torch's optimizer of the recipe with a group for each address. Freezes and raises as `apply` does."""
        from finetune_alf.schedules.applied import groups_of
        from finetune_alf.train.optimizer import torch_optimizer

        return torch_optimizer(groups_of(self, model), self.recipe.optimizer)

    def multiplier(self, step: int, n_steps: int) -> float:
        """Return the curve's factor on all rates at a step, from 0, of a fit of `n_steps`."""
        return self.recipe.curve.at(step, n_steps, self.recipe.epochs)

    def training_arguments(self, **settings: Any) -> "TrainingArguments":
        """Return arguments for transformers' Trainer: epochs, batch, curve, clip and precision; `settings` win.

        Raises ScheduleError for a recipe of several tasks or of a contrastive objective, which Trainer cannot train,
        and without accelerate, which Trainer needs.
        """
        from finetune_alf.schedules.trainer import training_arguments

        return training_arguments(self, settings)

    def trainer_kwargs(self, model: "Module | Encoder", **settings: Any) -> dict[str, Any]:
        """Return `args`, `optimizers` and `callbacks` for `Trainer(model=model, **kwargs)`; `settings` go to `args`.

        Every address then has the rates of this package's own fits, step by step.
        """
        from finetune_alf.schedules.trainer import trainer_kwargs

        return trainer_kwargs(self, model, settings)

    def callback(self) -> "TrainerCallback":
        """Return a callback for Trainer: sets the curve's rates, unfreezes, stops early, and logs `lr/<address>`.

        Reporters such as MLflow's see what it logs if they stand behind it, as in `trainer_kwargs`.
        """
        from finetune_alf.schedules.trainer import ScheduleCallback

        return ScheduleCallback(self)

    def stretch(self, n_layers: int) -> "Schedule":
        """Return a schedule for another depth, by `LayerRates.stretch`; its score there is not known.

        Raises ScheduleError where nothing would learn there, since all that learns is between the layers that are left.
        """
        if n_layers == self.rates.n_layers:
            return self
        rates = self.rates.stretch(n_layers)
        if not self.recipe.learns(rates):
            raise ScheduleError(
                f"schedule {self.name}: must have a rate above 0 that {n_layers} of its {self.rates.n_layers} layers "
                "keep, but got 0 at all of them. Take another schedule, or list rates of your own."
            )
        provenance = self.provenance.model_copy(update={"n_layers": n_layers, "movement": None})
        name = f"{self.name[:50]}-stretched-{n_layers}"
        recipe = self.recipe.with_rates(rates)
        return Schedule(name=name, recipe=recipe, provenance=provenance)

    def diff(self, other: "Schedule") -> "ScheduleDifference":
        """Return the fields in which another schedule differs, its rates by address."""
        from finetune_alf.schedules.difference import difference

        return difference(self, other)

    def applied_to(self, recipe: Recipe, n_layers: int, *, stretch: bool = False) -> Recipe:
        """Return a recipe with what this schedule was found with: rates, optimizer, curve, unfreezing and adapter.

        Raises ScheduleError for an encoder of another depth, unless the rates are stretched to it, as `stretch` does.
        """
        rates = self.stretch(n_layers).rates if stretch else self.for_depth(n_layers)
        taken = {name: getattr(self.recipe, name) for name in ("optimizer", "curve", "unfreezing", "adapter")}
        allowed = recipe.allow_forgetting or self.recipe.allow_forgetting
        return recipe.with_rates(rates).model_copy(update={**taken, "allow_forgetting": allowed})

    def to_json(self) -> str:
        """Return the document as indented JSON, with its checksum."""
        return json.dumps(self._document(), indent=1, allow_nan=False) + "\n"

    def to_yaml(self) -> str:
        """Return the document as YAML, which `load` reads, with its checksum."""
        from finetune_alf.schedules.yaml_text import to_yaml

        return to_yaml(self._document())

    def _document(self) -> dict[str, Any]:
        """Return the document with its checksum, which is first: a YAML file that is cut off has it still."""
        document = self.model_dump(mode="json")
        return {CHECKSUM: checksum_of_json(document), **document}

    @classmethod
    def from_json(cls, content: str | bytes, where: str = "schedule") -> Self:
        """Read a document from an untrusted source. Raises only ScheduleError, which names `where`."""
        document = parse_document(content, where)
        drop_schema_link(document)
        check_schema(document, where)
        check_checksum(document, where)
        try:
            return cls.model_validate_json(json.dumps(document))
        except ValidationError as error:
            raise ScheduleError(f"{where}: must be a valid schedule, but got {error_list(error)}.") from None
        except InputError as error:
            raise ScheduleError(f"{where}: {error}") from None
