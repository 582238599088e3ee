"""A pipe, a socket or a device in place of a file is refused by name, and never opened: a pipe waits for ever."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from finetune_alf.classifier.record import read_record
from finetune_alf.data.mixture import load_any_sample
from finetune_alf.data.readers.table import read_table
from finetune_alf.data.sample import load_card
from finetune_alf.data.table import open_table, writing
from finetune_alf.encoder.checkpoint import check_checkpoint
from finetune_alf.errors import InputError
from finetune_alf.files import file_digest, write_bytes
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.json_files import append_jsonl, read_json, read_jsonl
from finetune_alf.locks import hold_lock
from finetune_alf.params.reading import read_document
from finetune_alf.schedules import Schedule


def write_rows(path: Path) -> None:
    with writing(path, ["text"]) as write:
        write([["a"]])


def lock(path: Path) -> None:
    with hold_lock(path):
        pass


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "params": ("params.yaml", read_document),
    "schedule": ("schedule.json", Schedule.load),
    "schedule in YAML": ("schedule.yaml", Schedule.load),
    "CSV": ("rows.csv", lambda path: list(read_table(path, ["text"]))),
    "Parquet": ("rows.parquet", lambda path: list(read_table(path, ["text"]))),
    "table to predict": ("rows.jsonl", lambda path: open_table(path, ["text"], "")),
    "card": ("card.json", lambda path: load_card(path.parent)),
    "mixture": ("card.json", lambda path: load_any_sample(path.parent)),
    "encoder": ("config.json", lambda path: check_checkpoint(path.parent)),
    "classifier": ("classifier.json", lambda path: read_record(path.parent)),
    "document": ("study.json", read_json),
    "lines": ("trials.jsonl", read_jsonl),
    "ledger": ("study.jobs.jsonl", Ledger),
    "digest": ("rows.csv", file_digest),
    "a file to write": ("out.json", lambda path: write_bytes(path, b"")),
    "a line to append": ("out.jsonl", lambda path: append_jsonl(path, {})),
    "rows to write": ("out.csv", write_rows),
    "lock": ("study.lock", lock),
}


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.fixture(params=["a pipe", "a socket", "a device"])
def special(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)  # the path of a socket is at most 108 bytes long
    with socket.socket(socket.AF_UNIX) as listening:

        def bind(path: Path) -> None:
            listening.bind(path.name)

        make = {"a pipe": os.mkfifo, "a socket": bind, "a device": make_device}[request.param]
        yield lambda name: (request.param, make(tmp_path / name), tmp_path / name)


@pytest.mark.parametrize("what", READERS)
def test_it_is_refused_by_name_wherever_a_file_is_read_or_written(what: str, special: Any) -> None:
    name, read = READERS[what]
    kind, _, path = special(name)
    with pytest.raises(InputError) as refused:
        read(path)
    assert str(refused.value) == f"{path}: must be a regular file, but is {kind}. Name a file."
    assert not path.is_file()


@pytest.mark.parametrize("folder", ["a\0b", "half of a \ud83d"])
@pytest.mark.parametrize("name", READERS)
def test_a_text_that_is_no_path_is_refused_by_name(tmp_path: Path, name: str, folder: str) -> None:
    file, read = READERS[name]
    with pytest.raises(InputError, match=r"must be a path|must be the folder of an encoder"):
        read(tmp_path / folder / file)
