"""The Schedule: a Recipe with a rate for each address, its provenance, and its confirmed score.

It is a JSON document, never code or a pickle. Its digest is that of its identity, which leaves out nulls, so that a
new optional field does not change the digests of existing schedules.
"""

import json
import re
from itertools import zip_longest
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from finetune_alf.compute import Precision
from finetune_alf.errors import InputError, ScheduleError
from finetune_alf.files import digest
from finetune_alf.identity import identity_of
from finetune_alf.paths import Name
from finetune_alf.rates import Address, LayerRates, ListedRates, addresses
from finetune_alf.recipe import Recipe
from finetune_alf.schedules.document import parse_document
from finetune_alf.spec import NOTE, Spec

SCHEMA_VERSION = 2
MAX_RATE = 1.0
"""No optimizer trains at a higher rate: a schedule with one is broken or hostile."""

_Score = Annotated[float, Field(ge=-1, le=1)]
_Count = Annotated[int, Field(ge=1)]
_Text = Annotated[str, Field(max_length=500)]


class Provenance(Spec):
    """Where a schedule comes from; fields that are unknown for a published schedule are None.

    Version, commit, precision and `created`, the end of the trial in ISO 8601, are those of its trial, so that
    registering again does not change the digest. `assumed` are the fields of the recipe that the cited source does not
    give, as in `clip` or `early_stopping.patience`: they are this package's choice. `movement` is how far the
    trial moved the weights at each address, relative to their size.
    """

    study: _Text
    encoder: _Text
    architecture: _Text
    n_layers: _Count
    sample_name: _Text
    sample_digest: _Text | None = None
    trial: Annotated[int, Field(ge=0)] | None = None
    package_version: _Text | None = None
    git_commit: _Text | None = None
    precision: Precision | None = None
    created: _Text | None = None
    citation: _Text | None = None
    assumed: Annotated[tuple[_Text, ...] | None, NOTE] = None
    movement: Annotated[dict[Address, float] | None, NOTE] = None


class ConfirmedScore(Spec):
    """The mean score over new seeds on the confirmation split, with its 95 % interval."""

    metric: _Text
    mean: _Score
    low: _Score
    high: _Score
    n_seeds: _Count
    n_texts: _Count


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
        highest = max(self.rates.values())
        if not 0 < highest <= MAX_RATE:
            raise ValueError(f"max(recipe.rates) must be above 0 and at most {MAX_RATE:g}, but got {highest:g}")
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
            f"To stretch the rates to this depth, use schedule.rates.stretch({n_layers})."
        )

    def applied_to(self, recipe: Recipe, n_layers: int, *, stretch: bool = False) -> Recipe:
        """Return a recipe with what this schedule was found with: rates, optimizer, curve, unfreezing and adapter.

        Raises ScheduleError for an encoder of another depth, unless the rates are stretched to it.
        """
        rates = self.rates.stretch(n_layers) if stretch else self.for_depth(n_layers)
        taken = {name: getattr(self.recipe, name) for name in ("optimizer", "curve", "unfreezing", "adapter")}
        allowed = recipe.allow_forgetting or self.recipe.allow_forgetting
        return recipe.with_rates(rates).model_copy(update={**taken, "allow_forgetting": allowed})

    def to_json(self) -> str:
        """Return the document as indented JSON."""
        return json.dumps(self.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, content: str | bytes, where: str = "schedule") -> Self:
        """Read a document from an untrusted source. Raises only ScheduleError, which names `where`."""
        text, document = parse_document(content, where)
        _check_schema(document, where)
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ScheduleError(f"{where}: must be a valid schedule, but got {_error_list(error)}.") from None
        except InputError as error:
            raise ScheduleError(f"{where}: {error}") from None


def _check_schema(document: dict[str, Any], where: str) -> None:
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ScheduleError(
            f"{where}: must have a schema_version, an integer of at least 1, but got {str(version)[:60]}."
        )
    if version < SCHEMA_VERSION:
        raise ScheduleError(
            f"{where}: has schema_version {version}, of an earlier finetune_alf, whose recipes also "
            "had settings of how fits are run. Register its study again."
        )
    if version > SCHEMA_VERSION:
        provenance = document.get("provenance")
        made_by = provenance.get("package_version") if isinstance(provenance, dict) else None
        known = isinstance(made_by, str) and re.fullmatch(r"\d{1,6}(\.\d{1,6}){1,3}", made_by)
        needed = f"finetune_alf >= {made_by}" if known else "a newer finetune_alf"
        raise ScheduleError(
            f"{where}: needs {needed}: this version reads schema_version {SCHEMA_VERSION}, not {version}. "
            "Upgrade finetune_alf."
        )


def _error_list(error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(str(part)[:60] for part in each['loc']) or 'document'}: {each['msg'][:300]}" for each in errors
    ]
    return "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if lines[5:] else "")
