"""The version of a schedule's document, and the faults of a document that has another one or does not validate."""

import re
from typing import Any

from pydantic import ValidationError

from finetune_alf.checksums import CHECKSUM, checksum_of
from finetune_alf.errors import ScheduleError

SCHEMA_VERSION = 2


SCHEMA_LINK = "$schema"
"""The key by which editors find the JSON schema of a document."""


def drop_schema_link(document: dict[str, Any]) -> None:
    """Take the link to the schema, which an editor may have written, out of a document."""
    if isinstance(document.get(SCHEMA_LINK), str):
        del document[SCHEMA_LINK]


def check_schema(document: dict[str, Any], where: str) -> None:
    """Raise ScheduleError for a document of another version, with the version of the package that reads it."""
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


def check_checksum(document: dict[str, Any], where: str) -> None:
    """Take the checksum out of a document; ScheduleError where the contents have another. Those by hand have none."""
    stated = document.pop(CHECKSUM, None)
    if stated is None:
        return
    found = checksum_of(document)
    if stated != found:
        raise ScheduleError(
            f"{where}: must have the contents that it was written with, but their checksum is {found} in place of "
            f"{str(stated)[:16]}: the file is damaged or was edited. Export it again, or delete the key {CHECKSUM} "
            "after an edit."
        )


def error_list(error: ValidationError) -> str:
    """Return the fields and messages of the first five faults."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(str(part)[:60] for part in each['loc']) or 'document'}: {each['msg'][:300]}" for each in errors
    ]
    return "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if lines[5:] else "")
