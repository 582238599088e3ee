"""The Schedule: a Recipe with a rate at each address, where it comes from, and how well it was confirmed.

It is a JSON document, never code and never a pickle; its digest is the SHA-256 of its canonical JSON without nulls, so
that a field which a later version adds, null by default, leaves the digests of older schedules as they are.
"""

import json
import re
from itertools import zip_longest
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from finetune_alf.errors import InputError, ScheduleError
from finetune_alf.files import digest
from finetune_alf.paths import Name
from finetune_alf.rates import LayerRates, ListedRates, addresses
from finetune_alf.recipe import Recipe
from finetune_alf.schedules.document import read_document
from finetune_alf.spec import Spec

SCHEMA_VERSION = 1
HIGHEST_RATE = 1.0
"""No address of any encoder learns at a higher rate under any optimizer: what asks for one is broken or hostile."""

_Frac = Annotated[float, Field(ge=-1, le=1)]
_Count = Annotated[int, Field(ge=1)]
_Text = Annotated[str, Field(max_length=500)]


class Provenance(Spec):
    """Where a schedule comes from; what nobody knows of a published one is None.

    `created` is when its trial ended, in ISO 8601: registering again does not change it, nor the digest.
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
    created: _Text | None = None
    citation: _Text | None = None


class ConfirmedScore(Spec):
    """The mean over fresh seeds on texts that no trial saw, with its 95 % interval."""

    metric: _Text
    mean: _Frac
    low: _Frac
    high: _Frac
    n_seeds: _Count
    n_texts: _Count


class Schedule(Spec):
    """A recipe with its rates written out, its provenance, and its confirmed score if it has one."""

    schema_version: Literal[1] = 1
    name: Name
    recipe: Recipe
    provenance: Provenance
    confirmed: ConfirmedScore | None = None

    @model_validator(mode="after")
    def _refuse_useless_rates(self) -> Self:
        rates = self.recipe.rates
        if not isinstance(rates, ListedRates) or len(rates.layers) != self.provenance.n_layers:
            raise ValueError(f"recipe.rates must list {self.provenance.n_layers} layers, as provenance.n_layers says")
        highest = max(self.rates.values())
        if not 0 < highest <= HIGHEST_RATE:
            raise ValueError(f"recipe.rates must reach above 0 and to at most {HIGHEST_RATE:g}, but reach {highest:g}")
        return self

    @property
    def rates(self) -> LayerRates:
        """The learning rate of each address."""
        return self.recipe.rates.at(self.provenance.n_layers)

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical JSON without nulls, as 64 hex digits."""
        return digest(self.model_dump(mode="json", exclude_none=True))

    def for_depth(self, n_layers: int) -> LayerRates:
        """Return the rates for an encoder of this depth; ScheduleError when it is not the schedule's own."""
        own = self.provenance.n_layers
        if n_layers == own:
            return self.rates
        pairs = zip_longest(addresses(own)[1:-1], addresses(n_layers)[1:-1])
        odd = [f"{mine} is not in the encoder" if mine else f"{its} has no rate" for mine, its in pairs if mine != its]
        raise ScheduleError(
            f"schedule {self.name}: must have rates for an encoder of {n_layers} layers, but got {own}: "
            f"{', '.join(odd[:3])}{' …' if odd[3:] else ''}. "
            f"To carry it over to this depth on purpose, use schedule.rates.stretch({n_layers})."
        )

    def to_json(self) -> str:
        """Return the document, indented for people."""
        return json.dumps(self.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, content: str | bytes, where: str = "schedule") -> Self:
        """Read a document from anywhere. ScheduleError, naming `where`, is all that it raises."""
        text, document = read_document(content, where)
        _check_schema(document, where)
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ScheduleError(f"{where}: must be a valid schedule, but got {_faults(error)}.") from None
        except InputError as error:
            raise ScheduleError(f"{where}: {error}") from None


def _check_schema(document: dict[str, Any], where: str) -> None:
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ScheduleError(
            f"{where}: must say its schema_version, a whole number from 1, but got {str(version)[:60]}."
        )
    if version > SCHEMA_VERSION:
        provenance = document.get("provenance")
        made_by = provenance.get("package_version") if isinstance(provenance, dict) else None
        known = isinstance(made_by, str) and re.fullmatch(r"\d{1,6}(\.\d{1,6}){1,3}", made_by)
        needed = f"finetune_alf >= {made_by}" if known else "a newer finetune_alf"
        raise ScheduleError(
            f"{where}: needs {needed}, but this one reads schema_version {SCHEMA_VERSION}, not {version}. "
            "Upgrade the package."
        )


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(str(part)[:60] for part in fault['loc']) or 'the whole'}: {fault['msg'][:300]}" for fault in faults
    ]
    return "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if lines[5:] else "")
