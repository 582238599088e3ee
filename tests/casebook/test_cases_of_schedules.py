"""A schedule that cannot be used: what `finetune-alf schedules show` says, without a registry being made."""

import json
from pathlib import Path
from typing import Any

import pytest
from refusals import refusal

from finetune_alf.schedules.published import published

TEXT = published("distilbert-alf-1").to_json()
DOCUMENT: dict[str, Any] = {key: value for key, value in json.loads(TEXT).items() if key != "checksum"}
RECIPE: dict[str, Any] = DOCUMENT["recipe"]


def with_rates(**changes: Any) -> bytes:
    rates = {**RECIPE["rates"], **changes}
    return json.dumps({**DOCUMENT, "recipe": {**RECIPE, "rates": rates}}).encode()


CONTENTS = {
    "cut": (TEXT[: len(TEXT) // 2].encode(), "must be a schedule's JSON"),
    "empty": (b"", "must be a schedule's JSON"),
    "a pickle": (b"\x80\x04K\x01.", "must be a schedule's JSON"),
    "over 1 MiB": (b" " * (1 << 20) + TEXT.encode(), "more than 1048576"),
    "deep": (b"[" * 100_000, "too deeply nested JSON"),
    "5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "an integer of 5000 digits"),
    "NaN": (b'{"a": NaN}', "NaN, which is not a JSON number"),
    "1e400": (b'{"a": 1e400}', "too large a number"),
    "a key twice": (b'{"a": 1, "a": 2}', "the key 'a' twice"),
    "edited": (TEXT.replace("0.0", "1e-05", 1).encode(), "the file is damaged or was edited"),
    "an unknown field": (json.dumps({**DOCUMENT, "on_load": "os.system"}).encode(), "on_load: Extra inputs"),
    "newer": (json.dumps({**DOCUMENT, "schema_version": 99}).encode(), "a newer finetune_alf"),
    "a rate above the bound": (with_rates(head=1e9), "head: Input should be less than or equal to 1"),
    "rates of 0": (with_rates(embeddings=0.0, layers=[0.0] * 6, head=0.0), "above 0"),
    "another depth": (with_rates(layers=[0.0] * 5), "must list 6 layers"),
}

REFERENCES = [
    ("nothing.json", "nothing.json: must be a readable file"),
    ("../x@y", "schedule: must be one of"),
    ("alf-tiny@%2e%2e", "alias: must be 1 to 100 lower-case letters"),
    ("alf-tiny@%252e", "alias: must be 1 to 100 lower-case letters"),
    ("alf-tiny@a\\b", "schedule: must be one of"),
    ("alf-tiny@a?b", "alias: must be 1 to 100 lower-case letters"),
    ("a\0b@alf-1", "model: must be 1 to 100 lower-case letters"),
]


@pytest.mark.parametrize(("content", "message"), CONTENTS.values(), ids=CONTENTS)
def test_a_file_that_is_no_schedule_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(content)
    told = refusal(tmp_path, "schedules", "show", str(path))
    assert told.startswith("s.json: ")
    assert message in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(("reference", "message"), REFERENCES)
def test_a_reference_that_leads_elsewhere_is_refused_before_anything_is_read(
    tmp_path: Path, reference: str, message: str
) -> None:
    assert message in refusal(tmp_path, "schedules", "show", reference)


def test_a_schedule_of_an_empty_registry_says_what_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    told = refusal(tmp_path, "schedules", "show", "alf-tiny@alf-1", code=4)
    assert "mlflow.db: no such file. Run a study first." in told
