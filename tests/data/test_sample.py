"""Samples on disk: equal bytes for equal rows, written atomically and verified when read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_rows import MemoryRows
from pydantic import ValidationError

from finetune_alf.data.prepare import draw_sample, prepare_sample
from finetune_alf.data.sample import SPLITS, load_card, load_sample, save_sample
from finetune_alf.data.source_spec import FilesSource, MiniSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.files import file_digest

COUNTS = {"n_train": 8, "n_validation": 6, "n_confirmation": 4, "n_test": 10}
SPEC = SampleSpec(source=MiniSource(domain="films"), seed=7, **COUNTS)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_sample_round_trips(tmp_path: Path) -> None:
    card = prepare_sample("films", SPEC, tmp_path / "films")
    sample = load_sample(tmp_path / "films")
    assert sample.card == card == load_card(tmp_path / "films")
    assert {name: len(split.texts) for name, split in sample.splits.items()} == {
        "train": 8,
        "validation": 6,
        "confirmation": 4,
        "test": 10,
    }
    assert sample.card.counts["train"] == {"negative": 4, "positive": 4}
    assert sample.card.label_names == ("negative", "positive")
    assert sample.card.revision.startswith("sha256:")


def test_samples_of_classes_have_the_recorded_digest_and_bytes(tmp_path: Path) -> None:
    """Another sample for the same spec would start new studies and change `dvc.lock`."""
    prepare_sample("films", SPEC, tmp_path / "films")
    rows = [((f"first {number}", "null"), number % 2) for number in range(40)]
    spec = SPEC.model_copy(update={"max_train_frac": 0.5})
    save_sample(tmp_path / "pairs", draw_sample("pairs", spec, MemoryRows({"train": rows}).rows()))
    digests = {name: load_card(tmp_path / name).digest for name in ("films", "pairs")}
    assert digests == {
        "films": "506f4ffb315d64c050b2b90ea78e325e4903a3eaddfc4738afb15a65c11e5038",
        "pairs": "b7b439b07a80b53dfee38c9426810a4bc60ac8bf4d0aea8ed5ca09ab500bf5a3",
    }
    cards = {name: file_digest(tmp_path / name / "card.json") for name in digests}
    assert cards == {
        "films": "0d7ee933461fa5c50156676e45db6054d919070d22ec920fdf308452b7458af9",
        "pairs": "8f4a6e17d913a5ac0c6765d9dfab75563f83b816b2851f605837174edf6f1ced",
    }
    fields = [(field.name, str(field.type)) for field in pq.read_schema(tmp_path / "pairs" / "train.parquet")]
    assert fields == [("text", "string"), ("label", "string"), ("pair", "string")]


def test_pairs_and_unusual_texts_round_trip(tmp_path: Path) -> None:
    rows = [((f"first {number}", "null"), number % 2) for number in range(40)]
    sample = draw_sample("pairs", SPEC.model_copy(update={"max_train_frac": 0.5}), MemoryRows({"train": rows}).rows())
    save_sample(tmp_path / "pairs", sample)
    loaded = load_sample(tmp_path / "pairs")
    assert loaded == sample
    assert loaded.splits["train"].texts[0][1] == "null"


def test_an_empty_split_round_trips(tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"n_confirmation": 0, "n_test": 0})
    prepare_sample("films", spec, tmp_path / "films")
    assert load_sample(tmp_path / "films").splits["test"].texts == ()


def test_equal_specs_give_equal_bytes_in_every_process(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from finetune_alf.data.prepare import prepare_sample; from finetune_alf.data.spec import SampleSpec\n"
        "prepare_sample('films', SampleSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2]))"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", program, SPEC.model_dump_json(), str(tmp_path / seed)]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
    prepare_sample("films", SPEC, tmp_path / "here")
    assert contents(tmp_path / "1") == contents(tmp_path / "2") == contents(tmp_path / "here")


def test_the_digest_depends_on_texts_labels_splits_and_order(tmp_path: Path) -> None:
    digests = set()
    for text, label, seed in (("good", "pos", 1), ("fine", "pos", 1), ("good", "neg", 1), ("good", "pos", 2)):
        rows = [(f"{number} {text}", ("neg", label, "pos")[number % 3]) for number in range(120)]
        spec = SPEC.model_copy(update={"seed": seed})
        digests.add(draw_sample("s", spec, MemoryRows({"train": rows}).rows()).card.digest)
    assert len(digests) == 4


def test_the_card_does_not_depend_on_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEWS", str(tmp_path))
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"text {number},{number % 2}\n" for number in range(100)))
    spec = SPEC.model_copy(update={"source": FilesSource(train="${REVIEWS}/a.csv", text="text", label="label")})
    prepare_sample("own", spec, tmp_path / "own")
    assert str(tmp_path) not in (tmp_path / "own" / "card.json").read_text()


def test_relative_paths_start_at_the_root(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"text {number},{number % 2}\n" for number in range(100)))
    spec = SPEC.model_copy(update={"source": FilesSource(train="a.csv", text="text", label="label")})
    assert prepare_sample("own", spec, tmp_path / "own", root=tmp_path).n_source_rows == 100


def test_duplicates_are_counted_and_the_numbers_of_rows_are_exact(tmp_path: Path) -> None:
    train = [(f"text {number}", number % 2) for number in range(40)]
    test = [(f"text  {number} ", number % 2) for number in range(20, 60)]
    spec = SPEC.model_copy(update={"max_train_frac": 0.5, "n_test": 20})
    sample = draw_sample("s", spec, MemoryRows({"train": train, "test": test}).rows())
    assert sample.card.duplicates_dropped == {"train": 0, "test": 20}
    assert sample.card.n_source_rows == 80
    texts = [" ".join(str(text).split()) for split in sample.splits.values() for text in split.texts]
    assert len(set(texts)) == len(texts) == 8 + 6 + 4 + 20


def test_a_failed_draw_keeps_the_old_sample(tmp_path: Path) -> None:
    too_many = SPEC.model_copy(update={"n_test": 10_000})
    with pytest.raises(DataError, match=r"^samples\.films: n_test: must be at most"):
        prepare_sample("films", too_many, tmp_path / "films")
    assert list(tmp_path.iterdir()) == []
    prepare_sample("films", SPEC, tmp_path / "films")
    before = contents(tmp_path / "films")
    with pytest.raises(DataError):
        prepare_sample("films", too_many, tmp_path / "films")
    assert contents(tmp_path / "films") == before
    assert [path.name for path in tmp_path.iterdir()] == ["films"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare_sample("films", SPEC, tmp_path / "films")
    return tmp_path / "films"


def test_a_changed_row_is_found_when_the_sample_is_read(folder: Path) -> None:
    columns = pq.ParquetFile(folder / "test.parquet").read().to_pydict()
    columns["label"] = columns["label"][::-1]
    columns["text"][0] += "!"
    pq.write_table(pa.table(columns), folder / "test.parquet")
    with pytest.raises(DataError, match=r"films: the rows must have the card's digest [0-9a-f]{64}, but got"):
        load_sample(folder)


@pytest.mark.parametrize("name", [*(f"{split}.parquet" for split in SPLITS), "card.json"])
def test_a_missing_or_truncated_file_is_named(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"{}"):
        (folder / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name}: must be .* Run the stage that writes it again"):
            load_sample(folder)
    (folder / name).unlink()
    missing = "the sample is not prepared" if name == "card.json" else f"cannot read .*{name}: no such file"
    with pytest.raises(DataError, match=rf"{missing}.* Run (the stage that writes it|`finetune-alf prepare)"):
        load_sample(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: the sample is not prepared. Run `finetune-alf prepare nowhere`"):
        load_sample(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_train": 0}, "greater than 0"),
        ({"n_train": 8.0}, "valid integer"),
        ({"max_train_frac": 1.5}, "less than or equal to 1"),
        ({"n_valid": 3}, "Extra inputs"),
        ({"source": {"kind": "url"}}, "'hub', 'files', 'mini'"),
        ({"source": {"kind": "mini", "domain": "books"}}, "'films'"),
        ({"source": {"kind": "files", "train": "a.csv", "text": ["a", "b", "c"], "label": "l"}}, "text"),
        ({"source": {"kind": "hub", "name": "../x", "revision": "main", "text": "t", "label": "l"}}, "pattern"),
        (
            {
                "source": {
                    "kind": "hub",
                    "name": "x",
                    "revision": "r",
                    "text": "t",
                    "label": "l",
                    "splits": {"test": "t"},
                }
            },
            "must include train",
        ),
    ],
)
def test_an_invalid_spec_is_refused(change: dict[str, object], message: str) -> None:
    spec = {**SPEC.model_dump(mode="json"), **change}
    with pytest.raises(ValidationError, match=message):
        SampleSpec.model_validate_json(json.dumps(spec))


def test_a_spec_round_trips_through_json() -> None:
    assert SampleSpec.model_validate_json(SPEC.model_dump_json()) == SPEC
