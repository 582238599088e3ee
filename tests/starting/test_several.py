"""Guesses of several classes a text: what is taken for that, what is not, and projects that can be prepared."""

import json

import pandas as pd
import pytest
from pydantic import ValidationError

from finetune_alf.data.files_source import FileRows
from finetune_alf.data.sample import load_sample
from finetune_alf.data.source_spec import FilesSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError, InputError
from finetune_alf.experiments.registry import model_of
from finetune_alf.params.load import validate
from finetune_alf.params.reading import parse_document
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context
from finetune_alf.running.prepare import prepare
from finetune_alf.starting.init import InitOptions, guess_start, write_start
from finetune_alf.starting.sizes import rare_in_sets
from finetune_alf.starting.table import find_table
from small_project import RecordingConsole
from tiny import save_tiny

N_ROWS = 240
NAMES = ("billing", "urgent", "shipping")
SETS = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (), (0, 1, 2)]
WORDS = ["warm", "soup", "and", "a", "kind", "waiter", "but", "nobody", "seemed", "to", "notice"]


def names_of(row):
    return [NAMES[index] for index in SETS[row % len(SETS)]]


def text(row):
    return f"{row} {' '.join(WORDS[row % 5 :])}"


def csv_of(path, n_rows=N_ROWS, **columns):
    """Write a table of columns that are functions of the row's number."""
    pd.DataFrame({name: [make(row) for row in range(n_rows)] for name, make in columns.items()}).to_csv(
        path, index=False
    )
    return path


def joined(separator):
    return lambda row: separator.join(names_of(row))


def flag(name):
    return lambda row: int(name in names_of(row))


def written(folder, form):
    """Write the same labels in one of the ways in which people have them; return the path."""
    if form in ";|,/":
        return csv_of(
            folder / "t.csv", id=str, body=text, tags=joined(form), lang=lambda row: "de" if row % 3 else "en"
        )
    if form == "flags":
        return csv_of(folder / "t.csv", body=text, **{name: flag(name) for name in NAMES})
    rows = [{"body": text(row), "topics": names_of(row)} for row in range(N_ROWS)]
    if form == "parquet":
        pd.DataFrame(rows).to_parquet(folder / "t.parquet")
        return folder / "t.parquet"
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "t.jsonl"


@pytest.mark.parametrize("form", [";", "|", ",", "/", "flags", "jsonl", "parquet"])
def test_a_project_of_several_classes_a_text_is_written_and_can_be_prepared(tmp_path, form):
    save_tiny(tmp_path / "encoder")
    console = RecordingConsole()
    table = written(tmp_path, form)
    start = guess_start(InitOptions(table, tmp_path, encoder=str(tmp_path / "encoder")), model_of(), console)
    write_start(start, tmp_path, model_of())
    params = validate(parse_document((tmp_path / "params.yaml").read_text(), "params.yaml"), model_of())
    (name, spec), *_ = params.samples.items()
    assert (spec.problem_type, spec.balance) == ("multi_label", "natural")
    assert next(iter(params.studies.values())).metric == "micro_f1"
    prepare(Context(params, Paths(tmp_path)), name)
    sample = load_sample(Paths(tmp_path).sample(name))
    assert set(sample.card.label_names) == set(NAMES)
    for split in sample.splits.values():
        for one, labels in zip(split.texts, split.labels, strict=True):
            expected = names_of(int(one.split()[0]))
            assert {sample.card.label_names[index] for index in labels} == set(expected)
    seen = next(line for line in console.lines if line.startswith("label: "))
    assert {"flags": "3 columns of 0 and 1", "jsonl": "lists of 3 different names", "parquet": "lists of 3"}.get(
        form, f"have several of 3 names, with '{form}' between them"
    ) in seen
    assert "task: several classes a text (a text can have any number of them)" in console.lines


def test_names_in_a_thousand_combinations_are_several_classes(tmp_path):
    names = [f"genre {number}" for number in range(16)]

    def some(row):
        return "|".join(name for at, name in enumerate(names) if (row * 2654435761 >> 8) >> at & 1)

    found = find_table(csv_of(tmp_path / "t.csv", n_rows=3000, body=lambda row: f"{row} a film of a kind", genres=some))
    assert found.profile.columns["genres"].n_different > 1000
    assert (found.label.value, found.task.value, sorted(found.counts)) == ("genres", "multi_label", sorted(names))


def test_columns_of_0_and_1_can_be_named(tmp_path):
    table = written(tmp_path, "flags")
    found = find_table(table, label=NAMES[:2])
    assert (found.label.value, found.task.value) == (NAMES[:2], "multi_label")
    assert found.counts == {name: sum(name in names_of(row) for row in range(N_ROWS)) for name in NAMES[:2]}
    with pytest.raises(InputError, match="--label: must name a column of the table, but got 'none'"):
        find_table(table, label=(NAMES[0], "none"))
    with pytest.raises(InputError, match="--label: must be other columns than the text, but both have 'body'"):
        find_table(table, ("body",), (NAMES[0], "body"))


ORDINARY = {
    "names with a comma": lambda row: ["Arts, Crafts", "Toys, Games", "Books"][row % 3],
    "paths": lambda row: ["sport/tennis", "sport/golf", "news/world", "news/local", "arts"][row % 5],
    "people": lambda row: (
        f"{['Ann', 'Bob', 'Cy', 'Dee', 'Eve', 'Flo'][row % 6]}, {['Xu', 'Yi', 'Zed', 'Wu', 'Vu'][row // 6 % 5]}"
    ),
    "fractions": lambda row: f"{row % 3}/{row % 5}",
    "one class": lambda row: ["yes", "no"][row % 2],
    "a single joined cell": lambda row: "yes;no" if row == 7 else ["yes", "no"][row % 2],
}


@pytest.mark.parametrize("kind", list(ORDINARY))
def test_what_could_as_well_be_one_class_is_one(tmp_path, kind):
    found = find_table(csv_of(tmp_path / "t.csv", body=text, category=ORDINARY[kind]))
    assert (found.label.value, found.task.value) == ("category", "classification")


def test_numbers_with_a_decimal_comma_are_no_lists_of_numbers(tmp_path):
    found = find_table(csv_of(tmp_path / "t.csv", body=text, category=lambda row: f"{row % 5},{row % 2 * 5}"))
    assert (found.label.value, found.task.value) == ("category", "regression")


def test_a_column_with_the_usual_name_of_a_label_comes_before_tags_and_flags(tmp_path):
    flags = {name: flag(name) for name in NAMES}
    path = csv_of(tmp_path / "t.csv", body=text, tags=joined(";"), Verdict=lambda row: "yn"[row % 2], **flags)
    assert find_table(path).label.value == "Verdict"
    found = find_table(path, label="tags")
    assert (found.label.value, found.task.value, found.label_separator) == ("tags", "multi_label", ";")
    tagged = csv_of(tmp_path / "u.csv", body=text, shop=lambda row: f"shop {row % 4}", marks=joined(";"))
    found = find_table(tagged)
    assert found.label.value == "marks"
    assert found.label.seen.endswith("'shop' could be labels as well: name one with --label")


def test_flags_of_which_one_is_set_in_each_row_are_no_several_classes(tmp_path):
    one_hot = {name: lambda row, at=at: int(row % 3 == at) for at, name in enumerate(NAMES)}
    found = find_table(csv_of(tmp_path / "t.csv", body=text, **one_hot))
    assert found.task.value == "classification"
    two = {name: flag(name) for name in NAMES[:2]}
    assert find_table(csv_of(tmp_path / "u.csv", body=text, **two)).task.value == "classification"


def test_lists_of_words_or_of_their_tags_are_no_labels(tmp_path):
    rows = [{"body": text(row), "tags": ["DET", "NOUN", "DET"], "kind": "ab"[row % 2]} for row in range(N_ROWS)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert find_table(tmp_path / "t.jsonl").label.value == "kind"


def test_classes_that_training_rows_would_lack_or_all_have_are_left_out():
    counts = {"often": 500, "seldom": 30, "always": 995, "half": 400}
    assert rare_in_sets(counts, 1000, 200) == ("seldom", "always")
    with pytest.raises(InputError, match="at least two classes of 40 rows"):
        rare_in_sets({"often": 500, "seldom": 30}, 1000, 200)


def test_a_column_of_labels_that_is_neither_0_nor_1_is_an_error_with_its_line(tmp_path):
    path = csv_of(
        tmp_path / "t.csv", body=text, a=lambda row: "yes" if row == 4 else row % 2, b=lambda row: row % 3 % 2
    )
    source = FilesSource(train=str(path), text="body", label=("a", "b"))
    with pytest.raises(DataError, match=r"t\.csv:6: a must be 0 or 1.* but got 'yes'"):
        FileRows(source, tmp_path, "multi_label").rows()


@pytest.mark.parametrize(
    ("label", "problem_type", "message"),
    [
        (["a", "b"], "classification", "problem_type: must be multi_label where source.label has several columns"),
        (["a", "body"], "multi_label", "source.label: must be another column than the text"),
        (["a", "a"], "multi_label", "source.label: must name different columns"),
    ],
)
def test_columns_of_labels_must_suit_the_sample(label, problem_type, message):
    source = {"kind": "files", "train": "t.csv", "text": "body", "label": label}
    sizes = {"n_train": 9, "n_validation": 9, "n_confirmation": 9, "n_test": 9}
    with pytest.raises(ValidationError, match=message):
        SampleSpec.model_validate({"source": source, "problem_type": problem_type, **sizes})
