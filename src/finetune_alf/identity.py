"""Identities: what a result is kept under, for studies, ledgers, schedules and adaptations.

An identity has every field that changes what is computed, and no other: not how it is run, and no permission. Nulls are
left out, so that a new field that may be absent changes no identity.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from finetune_alf.spec import PERMISSION


def identity_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields, some of them specs, as JSON with the meaningful ones alone; its digest is `files.digest`."""
    return {key: _json(value) for key, value in fields.items() if value is not None}


def _json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        return identity_of({name: getattr(value, name) for name, field in fields if PERMISSION not in field.metadata})
    if isinstance(value, Mapping):
        return identity_of(value)
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value
