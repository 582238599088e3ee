"""The JSON schema of a schedule's document, by its version, for readers in other languages."""

from typing import Any

from finetune_alf.schedules.schedule import Schedule
from finetune_alf.schedules.schema import SCHEMA_VERSION


def json_schema() -> dict[str, Any]:
    """Return the schema; what the document means beyond it is checked when a schedule is read."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:finetune-alf:schedule:{SCHEMA_VERSION}",
        **Schedule.model_json_schema(),
    }
