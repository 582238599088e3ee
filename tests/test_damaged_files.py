"""One bad byte, or a lost end: the old value is read, or an error names the file. Ledgers are in tests/jobs."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from damage import N_DAMAGES, damages
from fake_locks import fake_candidate, fake_lock
from finetune_alf.checksums import CHECKSUM, VERSION, checksum_of, with_checksum
from finetune_alf.data.mixture import load_any_sample
from finetune_alf.data.sample import SPLITS, Card, Sample, Split, rows_digest, save_sample
from finetune_alf.documents import Estimate, SampleIdentity
from finetune_alf.errors import AlfError, InputError
from finetune_alf.json_files import append_jsonl, read_json, read_jsonl, write_json, write_jsonl
from finetune_alf.rates import LayerRates
from finetune_alf.register.lock import read_lock
from finetune_alf.schedules.published import published
from finetune_alf.schedules.schedule import Schedule


@dataclass(frozen=True)
class Kind:
    """A kind of file: what writes one, and what reads it."""

    write: Callable[[Path], Path]
    read: Callable[[Path], object]


def write_document(root: Path) -> Path:
    sample = SampleIdentity(name="films", digest="ab12", counts={"train": {"good": 3, "bad": 4}})
    sample.write(root / "study.json")
    return root / "study.json"


def write_lines(root: Path) -> Path:
    rows = [Estimate(mean=mean, low=mean - 0.5, high=mean + 0.5).as_json() for mean in (0.25, 2.0, 3.5)]
    write_jsonl(root / "trials.jsonl", rows)
    return root / "trials.jsonl"


def write_lock(root: Path) -> Path:
    rates = LayerRates({"embeddings": 0.0, "layer.0": 1e-5, "layer.1": 2e-5, "head": 1e-3})
    fake_lock("minilm", [fake_candidate(3, rates, [0.8, 0.9])]).write(root / "minilm.json")
    return root / "minilm.json"


def write_sample(root: Path) -> Path:
    splits = {name: Split((f"{name} one", f"{name} two"), (0, 1)) for name in SPLITS}
    card = Card(
        name="films",
        source={"kind": "mini", "domain": "films"},
        revision="sha256:12",
        label_names=("bad", "good"),
        counts={name: {"bad": 1, "good": 1} for name in SPLITS},
        drawn_from=dict.fromkeys(SPLITS, "train"),
        n_source_rows=8,
        duplicates_dropped={},
        seed=1,
        digest=rows_digest(("bad", "good"), splits),
    )
    save_sample(root / "films", Sample("films", card, splits))
    return root / "films" / "card.json"


def write_schedule(root: Path) -> Path:
    (root / "mine.json").write_text(published("distilbert-alf-2").to_json())
    return root / "mine.json"


def write_yaml(root: Path) -> Path:
    (root / "mine.yaml").write_text(published("distilbert-alf-2").to_yaml())
    return root / "mine.yaml"


KINDS = {
    "document": Kind(write_document, SampleIdentity.read),
    "lines": Kind(write_lines, Estimate.read_lines),
    "lock file": Kind(write_lock, read_lock),
    "card": Kind(write_sample, lambda path: load_any_sample(path.parent)),
    "schedule": Kind(write_schedule, Schedule.load),
    "schedule as YAML": Kind(write_yaml, Schedule.load),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_never_read_as_another_value(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    path = kind.write(tmp_path)
    data, value = path.read_bytes(), kind.read(path)
    errors = []
    for damaged in damages(data):
        path.write_bytes(damaged)
        try:
            found = kind.read(path)
        except AlfError as error:
            errors.append(str(error))
        else:
            assert found == value, damaged
    assert len(errors) > N_DAMAGES * 0.9
    assert [error for error in errors if path.name not in error] == []


@pytest.mark.parametrize("key", [VERSION, CHECKSUM])
def test_a_document_without_one_of_the_two_keys_is_no_document_of_an_earlier_version(key: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    document = with_checksum({"a": 1})
    path.write_text(json.dumps({(name if name != key else f"{key[:-1]}z"): value for name, value in document.items()}))
    with pytest.raises(InputError, match=r"x\.json: must be JSON as it was written, but got "):
        read_json(path)
    path.write_text('{"a": 1}')
    assert read_json(path) == {"a": 1}


def test_a_newer_document_says_that_a_newer_version_wrote_it(tmp_path: Path) -> None:
    whole = {VERSION: 3, "a": 1}
    (tmp_path / "x.json").write_text(json.dumps({**whole, CHECKSUM: checksum_of(whole)}))
    with pytest.raises(InputError, match="a newer finetune_alf wrote it"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize("n_kept", [0, 1, 2])
def test_lines_that_are_missing_at_the_end_are_noticed_unless_the_file_may_grow(tmp_path: Path, n_kept: int) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [{"n": 0}, {"n": 1}, {"n": 2}])
    assert read_jsonl(path) == [{"n": 0}, {"n": 1}, {"n": 2}]
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:n_kept]))
    with pytest.raises(InputError, match=rf"rows\.jsonl: must have all its lines, but ends after {n_kept}\."):
        read_jsonl(path)
    assert len(read_jsonl(path, is_whole=False)) == n_kept
    append_jsonl(path, {"n": 7})
    assert read_jsonl(path, is_whole=False)[-1] == {"n": 7}


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("results/study/minilm/trials.jsonl", "study minilm"),
        ("results/importance/minilm.json", "importance minilm"),
        ("results/schedules/minilm.json", "register minilm"),
        ("results/transfer/minilm/films.predictions.json", "transfer minilm films"),
        ("results/freeze/minilm.jsonl", "freeze minilm"),
        ("results/fit/minilm.tuned.json", "fit --study minilm"),
        ("models/minilm/classifier.json", "fit --study minilm"),
        ("data/samples/films/card.json", "prepare films"),
        ("data/samples/pairs/task/card.json", "prepare pairs"),
        ("data/encoders/films/adapt.json", "adapt films"),
    ],
)
def test_a_damaged_file_names_the_command_that_writes_it_again(tmp_path: Path, file: str, command: str) -> None:
    path = tmp_path / file
    write_json(path, {"a": 1})
    path.write_text(path.read_text().replace("1", "2"))
    with pytest.raises(InputError, match=r"Run the stage that writes it again, or restore the file\."):
        read_json(path)  # no project lies here
    (tmp_path / "params.yaml").touch()
    with pytest.raises(InputError, match=rf"Run `finetune-alf {command} --root {tmp_path}`, which writes it\."):
        read_json(path)
