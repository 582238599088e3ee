"""The JSON schema of a schedule's document, by its version, for readers in other languages."""

from typing import Any

from finetune_alf.checksums import CHECKSUM
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.schedules.schema import SCHEMA_LINK, SCHEMA_VERSION


def json_schema() -> dict[str, Any]:
    """Return the schema; what the document means beyond it is checked when a schedule is read."""
    schema = Schedule.model_json_schema()
    schema["properties"][CHECKSUM] = {
        "description": "The first 16 hex digits of the SHA-256 of the canonical JSON of all other keys but $schema.",
        "pattern": "^[0-9a-f]{16}$",
        "title": "Checksum",
        "type": "string",
    }
    schema["properties"][SCHEMA_LINK] = {
        "description": "The address of this schema, for editors; readers leave it out.",
        "title": "Schema",
        "type": "string",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:finetune-alf:schedule:{SCHEMA_VERSION}",
        **schema,
    }
