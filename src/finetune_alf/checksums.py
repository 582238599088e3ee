"""Digests of values, and the checksum of every JSON document and line that is read back.

A document starts with its version and ends with its checksum, the first 16 hex digits of the SHA-256 of the canonical
JSON of all its other keys. With neither it is of an earlier version, and is read as it is; with one of the two alone it
is damaged. So no single bad byte makes a document an old one. The last line of a file of lines has their number, which
shows when the end of the file is lost.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

DOCUMENT_VERSION = 2
"""The version of documents with a checksum; earlier ones have neither."""

VERSION, N_LINES, CHECKSUM = "document_version", "n_lines", "checksum"
"""The keys that a document has besides its own."""


def canonical_json(value: object) -> str:
    """Return the canonical JSON text of a value: keys sorted, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def digest(value: object) -> str:
    """Return the SHA-256 of a value's canonical JSON, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def with_short_digests(text: str) -> str:
    """Return a text, such as an encoder's identity, with its digests cut to 12 digits, for whoever reads it."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{28,52}\b", r"\1…", text)


def checksum_of(value: object) -> str:
    """Return the checksum of a value as it is read back from JSON, which has text for keys and lists for tuples."""
    return checksum_of_json(json.loads(json.dumps(value, allow_nan=False)))


def checksum_of_json(value: object) -> str:
    """Return the checksum of a value that was read from JSON, or has its types alone: faster than `checksum_of`."""
    return digest(value)[:16]


def with_checksum(document: Mapping[str, Any], n_lines: int | None = None) -> dict[str, Any]:
    """Return a document with its version and checksum; the last one of a file of lines also with their number."""
    if taken := {VERSION, N_LINES, CHECKSUM} & document.keys():
        raise ValueError(f"a document cannot have keys of its own named {', '.join(sorted(taken))}")
    whole = {VERSION: DOCUMENT_VERSION, **document, **({} if n_lines is None else {N_LINES: n_lines})}
    return {**whole, CHECKSUM: checksum_of(whole)}


def checked(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document, read from JSON, without version and checksum.

    Raises ValueError, with the reason, when its contents have another checksum.
    """
    whole = dict(document)
    stated = whole.pop(CHECKSUM, None)
    if stated is None and VERSION not in whole:
        return whole
    if stated is None:
        raise ValueError("no checksum")
    found = checksum_of_json(whole)
    if stated != found:
        raise ValueError(f"the checksum {found} of its contents in place of {str(stated)[:16]}, damaged or edited")
    if whole.pop(VERSION, None) != DOCUMENT_VERSION:
        raise ValueError(f"another document_version than {DOCUMENT_VERSION}: a newer finetune_alf wrote it")
    return whole


def parse_checked(data: bytes | str) -> dict[str, Any]:
    """Return the document in JSON text, checked. Raises ValueError, with the reason, for anything else."""
    try:
        value = json.loads(data)
        if not isinstance(value, dict):
            raise ValueError(f"a {type(value).__name__} in place of an object")
        return checked(value)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
