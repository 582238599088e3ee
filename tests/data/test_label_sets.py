"""Samples whose rows have any number of classes: read, counted, drawn and stored as sets of classes."""

import json
import logging
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter, ValidationError

from finetune_alf.data.hub_source import HubData, HubRows
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.redraw import redraw
from finetune_alf.data.rows import SourceRows
from finetune_alf.data.sample import Sample, load_sample
from finetune_alf.data.source_spec import HubSource
from finetune_alf.data.spec import AnySampleSpec, MixtureSpec, SampleSpec
from finetune_alf.errors import DataError

COUNTS = {"n_train": 20, "n_validation": 10, "n_confirmation": 5, "n_test": 5, "max_train_frac": 1}
CLASSES = ("fast", "good value", "loud")
SPECS: TypeAdapter[SampleSpec | MixtureSpec] = TypeAdapter(AnySampleSpec)


def sets_of(n: int) -> list[tuple[str, ...]]:
    """Sets of classes by the bits of a row's number: every fifth row has none."""
    return [
        () if number % 5 == 0 else tuple(name for bit, name in enumerate(CLASSES) if number >> bit & 1)
        for number in range(n)
    ]


def written(path: Path, sets: list[tuple[str, ...]], separator: str = "|") -> Path:
    texts = [f"text {number}" for number in range(len(sets))]
    if path.suffix == ".csv":
        lines = [f'{text},"{separator.join(own)}"\n' for text, own in zip(texts, sets, strict=True)]
        path.write_text("text,label\n" + "".join(lines))
    elif path.suffix == ".jsonl":
        rows = [{"text": text, "label": list(own)} for text, own in zip(texts, sets, strict=True)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".txt":
        lines = [
            " ".join([*(f"__label__{one}" for one in own), text, "\n"]) for text, own in zip(texts, sets, strict=True)
        ]
        path.write_text("".join(lines))
    else:
        pq.write_table(pa.table({"text": texts, "label": pa.array(sets, pa.list_(pa.string()))}), path)
    return path


def spec_of(path: Path, **settings: object) -> SampleSpec:
    source = {"kind": "files", "train": path.name, "text": "text", "label": "label"}
    if "label_separator" in settings:
        source["label_separator"] = settings.pop("label_separator")
    given = {"source": source, "problem_type": "multi_label", **COUNTS, **settings}
    return SampleSpec.model_validate_json(json.dumps(given))


def prepared(path: Path, **settings: object) -> tuple[Sample, list[str]]:
    lines: list[str] = []
    prepare_sample("own", spec_of(path, **settings), path.parent / "own", path.parent, log=lines.append)
    return load_sample(path.parent / "own"), lines


def by_text(sample: Sample) -> dict[str, tuple[str, ...]]:
    names = sample.card.label_names
    return {
        str(text): tuple(names[index] for index in own)
        for split in sample.splits.values()
        for text, own in zip(split.texts, split.labels, strict=True)
    }


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_sets_of_classes_come_back_from_every_format(tmp_path: Path, ending: str) -> None:
    sets = sets_of(40)
    sample, _ = prepared(written(tmp_path / f"a.{ending}", sets))
    assert by_text(sample) == {f"text {number}": own for number, own in enumerate(sets)}
    assert (sample.card.problem_type, sample.card.label_names) == ("multi_label", CLASSES)
    assert sample.tasks == {"own": sample}


def test_a_line_of_fasttext_can_have_several_labels(tmp_path: Path) -> None:
    sets = [("fast", "loud"), ("loud",), (), ("fast",)] * 10
    sample, _ = prepared(written(tmp_path / "a.txt", sets))
    assert by_text(sample) == {f"text {number}": own for number, own in enumerate(sets)}


def test_equal_rows_have_one_digest_whatever_the_format_and_another_set_has_another(tmp_path: Path) -> None:
    sets = sets_of(40)
    digests = {prepared(written(tmp_path / f"a.{ending}", sets))[0].card.digest for ending in ("csv", "jsonl")}
    assert len(digests) == 1
    changed, _ = prepared(written(tmp_path / "a.csv", [*sets[:-1], ("fast",)]))
    assert changed.card.digest not in digests


def test_a_changed_set_is_found_when_the_sample_is_read(tmp_path: Path) -> None:
    prepared(written(tmp_path / "a.csv", sets_of(40)))
    columns = pq.ParquetFile(tmp_path / "own" / "test.parquet").read().to_pydict()
    columns["label"][0] = ["loud", "fast", "good value"]
    pq.write_table(pa.table(columns), tmp_path / "own" / "test.parquet")
    with pytest.raises(DataError, match="must have the card's digest"):
        load_sample(tmp_path / "own")


def test_rows_and_classes_are_counted_apart_and_printed(tmp_path: Path) -> None:
    sets = sets_of(40)
    sample, lines = prepared(written(tmp_path / "a.csv", sets))
    card = sample.card
    assert card.counts == {split: {"rows": n} for split, n in zip(card.counts, (20, 10, 5, 5), strict=True)}
    assert card.class_counts is not None
    for name in CLASSES:
        total = sum(name in own for own in sets)
        assert sum(counts[name] for counts in card.class_counts.values()) == total
        assert any(line.split()[: len(name.split()) + 1] == [*name.split(), str(total)] for line in lines)
    assert f"own: {sets.count(())} of 40 rows have no class." in lines


def test_a_cell_names_classes_with_space_around_them_and_each_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", [("loud ", " fast", "loud", " ")] * 20 + [("fast",)] * 20)
    assert set(by_text(prepared(path)[0]).values()) == {("fast", "loud"), ("fast",)}
    other = written(tmp_path / "b.csv", sets_of(40), separator="; ")
    assert by_text(prepared(other, label_separator=";")[0])["text 3"] == ("fast", "good value")


def test_numbers_are_classes_as_for_single_labels(tmp_path: Path) -> None:
    rows = [[1.0, 10.0], [2.0], [], [1.0, 2.0]] * 10
    pq.write_table(pa.table({"text": [f"t{n}" for n in range(40)], "label": rows}), tmp_path / "a.parquet")
    assert prepared(tmp_path / "a.parquet")[0].card.label_names == ("1", "2", "10")


@pytest.mark.parametrize("value", ["null", "{}", "[null]", '[["fast"]]', "1.5"])
def test_what_is_no_set_of_classes_is_named_by_file_and_line(tmp_path: Path, value: str) -> None:
    path = written(tmp_path / "a.jsonl", sets_of(3))
    path.write_text(path.read_text() + f'{{"text": "x", "label": {value}}}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:4: the label must be an integer or a string"):
        prepared(path)


def test_a_class_with_the_separator_in_it_needs_another_separator(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [("a|b",), ("c",)] * 20)
    with pytest.raises(DataError, match=r"must not contain the separator '\|', but got 'a\|b'"):
        prepared(path)
    assert prepared(path, label_separator=";")[0].card.label_names == ("a|b", "c")


def test_only_rows_without_text_or_label_are_left_out_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": f"t{n}", "label": ["x"] if n % 2 else ["y"]} for n in range(40)]
    rows += [{"text": "", "label": ["x"]}, {"text": "u", "label": None}, {"text": "v", "label": []}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    sample, lines = prepared(path, on_empty="drop", n_train=23, n_test=3)
    assert by_text(sample)["v"] == ()
    assert lines[0].endswith("can be drawn: 2 have no text or label.")


def test_classes_are_joined_and_left_out_and_their_rows_stay(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [("fast", "quick"), ("quick", "loud"), ("rare",), ("loud",)] * 10)
    labels = {"map": {"quick": "fast"}, "drop": ["rare"]}
    sample, lines = prepared(path, labels=labels)
    assert [by_text(sample)[f"text {n}"] for n in range(4)] == [("fast",), ("fast", "loud"), (), ("loud",)]
    assert "own: left out by `labels`: 'rare' 10." in lines
    with pytest.raises(DataError, match=r"labels\.drop: must name labels of the source"):
        prepared(path, labels={"drop": ["slow"]})


def test_spellings_and_rare_classes_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "a.jsonl", [("fast", "Fast"), ("fast",)] * 20 + [("rare",)])
    with caplog.at_level(logging.WARNING):
        prepared(path)
    assert "'fast' (40 rows), 'Fast' (20) differ in case or space alone" in caplog.text
    assert "1 class has fewer than 10 rows: 'rare' (1 row)" in caplog.text


def test_a_class_that_no_training_text_has_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = {"kind": "files", "train": "a.jsonl", "validation": "b.jsonl", "text": "text", "label": "label"}
    written(tmp_path / "a.jsonl", [("fast",), ("loud",)] * 20 + [("rare",)])
    texts = [{"text": f"other {n}", "label": ["fast"]} for n in range(10)]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    for seed in range(9):
        caplog.clear()
        spec = {"source": source, "problem_type": "multi_label", **COUNTS, "n_train": 4, "seed": seed}
        prepare_sample("own", SampleSpec.model_validate_json(json.dumps(spec)), tmp_path / "own", tmp_path)
        missing = "rare" not in {name for own in by_text(_train(tmp_path / "own")).values() for name in own}
        assert missing == ("No training text is of" in caplog.text and "'rare'" in caplog.text)
    assert "Raise n_train, or leave them out" in caplog.text or not missing


def _train(folder: Path) -> Sample:
    sample = load_sample(folder)
    return Sample(sample.name, sample.card, {"train": sample.splits["train"]})


def test_classes_of_other_splits_must_be_among_those_of_train(tmp_path: Path) -> None:
    written(tmp_path / "a.jsonl", sets_of(40))
    (tmp_path / "b.jsonl").write_text('{"text": "x", "label": ["fast", "slow"]}\n')
    source = {"kind": "files", "train": "a.jsonl", "test": "b.jsonl", "text": "text", "label": "label"}
    spec = SampleSpec.model_validate_json(
        json.dumps({"source": source, "problem_type": "multi_label", **COUNTS, "n_test": 1})
    )
    with pytest.raises(DataError, match=r"b\.jsonl: must have classes of .*a\.jsonl .*, but got 'slow'"):
        prepare_sample("own", spec, tmp_path / "own", tmp_path)


def test_one_class_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least two classes, but got only 'fast'"):
        prepared(written(tmp_path / "a.jsonl", [("fast",), ()] * 20))
    with pytest.raises(DataError, match="at least two classes, but got only rows without any"):
        prepared(written(tmp_path / "a.jsonl", [()] * 40))


def test_the_same_text_under_two_sets_is_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", sets_of(41))
    path.write_text(path.read_text() + '{"text": "text 3", "label": ["loud"]}\n')
    _, lines = prepared(path)
    assert any("1 text has more than one label; the first one counts" in line for line in lines)


def test_the_same_text_under_the_same_classes_in_another_order_is_no_conflict(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", sets_of(41))
    assert sets_of(41)[3] == ("fast", "good value")
    path.write_text(path.read_text() + '{"text": "text 3", "label": ["good value", "fast", "fast"]}\n')
    _, lines = prepared(path)
    assert any("Of 42 rows 41 can be drawn: 1 repeats the text of another row." in line for line in lines)
    assert not any("more than one label" in line for line in lines)


def test_a_list_of_labels_in_a_sample_of_classes_names_the_way_out(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.parquet"):
        path = written(tmp_path / name, sets_of(40))
        with pytest.raises(DataError, match="Set `problem_type: multi_label` of the sample"):
            prepared(path, problem_type="classification")


def test_the_balance_is_natural_and_even_is_refused(tmp_path: Path) -> None:
    assert spec_of(tmp_path / "a.csv").balance == "natural"
    with pytest.raises(ValidationError, match="balance: must be natural where problem_type is multi_label"):
        spec_of(tmp_path / "a.csv", balance="even")


def test_glue_a_mixture_and_another_draw_are_refused(tmp_path: Path) -> None:
    glue = {"source": {"kind": "glue", "task": "rte"}, "problem_type": "multi_label", **COUNTS}
    with pytest.raises(ValidationError, match="problem_type: must be classification for this source"):
        SampleSpec.model_validate_json(json.dumps(glue))
    task = {
        "source": {"kind": "files", "train": "a.csv", "text": "text", "label": "label"},
        "problem_type": "multi_label",
        **COUNTS,
    }
    with pytest.raises(ValidationError, match=r"tasks\.own\.problem_type: must be classification or regression"):
        SPECS.validate_json(json.dumps({"tasks": {"own": task}}))
    sample, _ = prepared(written(tmp_path / "a.csv", sets_of(40)))
    with pytest.raises(DataError, match="have several classes each"):
        redraw(sample, 10, 5, 5, seed=1)


def hub_rows(labels: list[object], feature: object) -> SourceRows:
    texts = [f"t{number}" for number in range(len(labels))]
    features = datasets.Features({"text": datasets.Value("string"), "label": feature})
    data = datasets.Dataset.from_dict({"text": texts, "label": labels}, features)
    spec = HubSource(name="acme/tags", revision="main", text="text", label="label")
    return HubRows(spec, lambda _: HubData({"train": data}, "c"), "multi_label").rows()


def test_the_hubs_lists_of_classes_are_read_and_rows_without_a_list_left_out() -> None:
    rows = hub_rows([[0, 2], [], None, [1]], datasets.List(datasets.ClassLabel(names=["joy", "fear", "anger"])))
    assert rows.splits["train"].sets == [("joy", "anger"), (), ("fear",)]
    assert rows.label_names == ("joy", "fear", "anger")
    named = hub_rows([["b", "a"], ["a"]], datasets.List(datasets.Value("string")))
    assert (named.splits["train"].sets, named.label_names) == ([("b", "a"), ("a",)], ("a", "b"))
