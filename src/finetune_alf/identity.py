"""Identities: what a result is kept under, for studies, ledgers, schedules and adaptations.

An identity has every field that changes what is computed, and no other: not how it is run, no permission and no note.
A new field restarts no study: nulls are left out, and so are fields with the mark ADDED_LATER at their default.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from finetune_alf.spec import ADDED_LATER, NOTE, PERMISSION


def identity_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields, some of them specs, as JSON with the meaningful ones alone; its digest is `files.digest`."""
    return {key: _json(value) for key, value in fields.items() if value is not None}


def _json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        fields = ((name, getattr(value, name), field) for name, field in type(value).model_fields.items())
        return identity_of({name: own for name, own, field in fields if _is_meaningful(own, field)})
    if isinstance(value, Mapping):
        return identity_of(value)
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value


def _is_meaningful(value: Any, field: FieldInfo) -> bool:
    is_as_before = ADDED_LATER in field.metadata and value == field.get_default(call_default_factory=True)
    return PERMISSION not in field.metadata and NOTE not in field.metadata and not is_as_before
