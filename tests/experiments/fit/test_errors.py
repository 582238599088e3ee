"""`finetune-alf errors`, in a project whose table has labels that were flipped by hand."""

import csv
import json
import random
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from finetune_alf.classifier import classifier
from finetune_alf.classifier.record import RECORD_FILE
from finetune_alf.cli.entry import group
from finetune_alf.data.places import text_places
from finetune_alf.data.prepare import prepare_mixture, prepare_sample
from finetune_alf.data.sample import load_sample
from finetune_alf.data.source_spec import FilesSource, MiniSource
from finetune_alf.data.spec import MixtureSpec, SampleSpec
from finetune_alf.error_analysis.document import COLUMNS, ErrorsDocument
from finetune_alf.errors import InputError
from finetune_alf.experiments.fit import probabilities
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.experiments.fit.errors import find_errors
from finetune_alf.experiments.fit.experiment import FIT
from finetune_alf.experiments.fit.stage import fit
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.experiment import TRANSFER
from finetune_alf.experiments.transfer.predictions import read_predictions
from finetune_alf.json_files import read_json, write_json
from finetune_alf.paths import Paths
from finetune_alf.running.prepare import prepare
from small_project import PARAMS, context_of
from tiny import save_tiny

WORDS = {"good": ["warm", "fine", "kind"], "bad": ["cold", "sad", "grim"]}
OTHERS = ["meal", "a", "day", "people", "here", "bread", "and", "words"]
N_ROWS, N_FLIPPED = 240, 24
BEFORE, _, AFTER = PARAMS.partition("encoders:")
STUDIES = AFTER.partition("studies:")[2]
for old, new in (
    ("schemes: [feature_extraction, baseline, alf-1, alf-2, decayed]", "schemes: [feature_extraction, probe]"),
    ("samples: [films, travel]", "samples: [films]"),
    ("n_seeds: 2\n", "n_seeds: 1\n"),
):
    STUDIES = STUDIES.replace(old, new)
PROJECT = f"""{BEFORE}encoders:
  tiny: {{kind: folder, path: encoder}}
samples:
  films:
    source: {{kind: files, train: meals.csv, text: review, label: verdict}}
    n_train: 80
    n_validation: 40
    n_confirmation: 20
    n_test: 60
    max_train_frac: 0.5
studies:{STUDIES}
fit: {{tiny: {{scheme: probe}}}}
"""


def write_table(path):
    """Write texts with the words of their class, some of them with the other label; return the rows of these."""
    drawn = random.Random(1)
    flipped = dict.fromkeys(drawn.sample(range(N_ROWS), N_FLIPPED))
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["review", "verdict"])
        seen = set()
        for row in range(N_ROWS):
            label = ("good", "bad")[row % 2]
            text = ""
            while not text or text in seen:
                text = " ".join(drawn.sample([*drawn.choices(WORDS[label], k=4), *drawn.choices(OTHERS, k=3)], 7))
            seen.add(text)
            other = "good" if label == "bad" else "bad"
            table.writerow([text, other if row in flipped else label])
            if row in flipped:
                flipped[row] = text
    return {f"{path} line {row + 2}": text for row, text in flipped.items()}


@dataclass(frozen=True)
class Project:
    """A project with a saved probe and a transfer: where its labels were flipped, and what is found."""

    root: Path
    flipped: dict[str, str]
    document: ErrorsDocument

    @property
    def sample(self):
        return load_sample(self.root / "data" / "samples" / "films")


@pytest.fixture(scope="module")
def project(empty_store, tmp_path_factory):
    root = tmp_path_factory.mktemp("errors") / "project"
    shutil.copytree(empty_store, root)
    save_tiny(root / "encoder")
    flipped = write_table(root / "meals.csv")
    (root / "params.yaml").write_text(PROJECT)
    ctx = context_of(root)
    prepare(ctx, "films")
    FIT.run(ctx, "tiny")
    TRANSFER.run(ctx, "tiny", "films")
    return Project(root, flipped, find_errors(ctx, "tiny", ctx.paths.model("tiny")))


def errors(project, *words):
    return CliRunner().invoke(group, ["errors", *words, "--root", str(project.root)])


def test_labels_that_were_flipped_are_found_with_their_places(project):
    of_test, of_train = project.document.label_errors
    assert (of_test.split, of_test.by, of_train.split, of_train.by) == ("test", "classifier", "train", "probe")
    for part in (of_test, of_train):
        n_flipped = len(set(project.sample.splits[part.split].texts) & set(project.flipped.values()))
        found = [each for each in part.texts if project.flipped.get(each.place) == each.text]
        assert len(found) >= 0.8 * n_flipped > 3
        assert len(found) >= 0.8 * len(part.texts)


def test_the_confusion_matrix_is_that_of_the_saved_classifiers_predictions(project):
    found, (line,) = project.document.confusion, TransferLine.read_lines(Paths(project.root).cells("fit", "tiny"))
    assert (found.n_texts, found.n_right / 60) == (60, pytest.approx(line.accuracy))
    assert len(project.document.wrong) == found.n_texts - found.n_right


class _Negated:
    """A forward pass whose logits have the other sign; it keeps the rows of each batch."""

    def __init__(self, forward, batches):
        self.forward, self.batches = forward, batches

    def __call__(self, tokens, rows):
        self.batches.append(tuple(rows))
        return -self.forward(tokens, rows)


def test_errors_counts_what_fit_has_counted_and_says_where_it_does_not(project, monkeypatch):
    params, forward, batches = project.root / "params.yaml", classifier.inference_forward, []
    params.write_text(PROJECT.replace("compute: {", "compute: {micro_batch: 7, "))
    ctx = context_of(project.root)
    with monkeypatch.context() as rounding:  # stands for what bf16 does to close calls
        rounding.setattr(probabilities, "CHUNK", 16)
        rounding.setattr(classifier, "inference_forward", lambda *args: _Negated(forward(*args), batches))
        fit(ctx, "tiny", "baseline")
        of_fit = list(batches)
        batches.clear()
        found = find_errors(ctx, "tiny", ctx.paths.model("tiny.baseline"))
    fitted = FitDocument.read(ctx.paths.document("fit", "tiny.baseline"))
    assert found.confusion == fitted.confusion
    assert fitted.score.mean == found.confusion.n_right / 60
    assert sum(each.n * each.accuracy for each in fitted.calibration.bins_after) == pytest.approx(
        60 * fitted.score.mean
    )
    assert len(batches) == 9
    assert set(batches) <= set(of_fit)
    assert not [note for note in found.notes if "fit counted" in note]
    elsewhere = find_errors(ctx, "tiny", ctx.paths.model("tiny.baseline"))
    params.write_text(PROJECT)
    assert elsewhere.confusion.n_right == 60 - found.confusion.n_right != 30
    assert f"fit counted {found.confusion.n_right} of 60 test texts right." in elsewhere.notes[0]


def test_schemes_disagree_where_the_predictions_that_the_transfer_kept_differ(project):
    file = Paths(project.root).document("transfer", "tiny", "films").with_suffix(".predictions.json")
    one, other = (next(iter(fits.values())) for fits in read_json(file)["predictions"].values())
    found = project.document.schemes
    assert found.n_seeds == {"feature_extraction": 1, "probe": 1}
    assert sorted(each.index for each in found.texts) == [row for row in range(60) if one[row] != other[row]]
    assert [each.kappa for each in found.agreements if len(set(each.schemes)) == 1] == [None, None]
    assert project.document.notes == ()


def test_the_command_prints_one_document_or_tables_and_writes_all_findings(project, tmp_path):
    printed = errors(project, "--json", "--n", "1", "--out", str(tmp_path / "errors.jsonl"))
    assert printed.exit_code == 0, printed.output
    assert ErrorsDocument.parse(json.loads(printed.stdout), "--json") == project.document
    rows = [json.loads(line) for line in (tmp_path / "errors.jsonl").read_text().splitlines()]
    assert [tuple(row.values()) for row in rows] == list(project.document.findings())
    assert list(rows[0]) == list(COLUMNS)
    tables = errors(project, "tiny", "--split", "validation", "--n", "2")
    assert "40 validation texts of films" in tables.stdout
    assert "for the test split alone" in tables.stdout


@pytest.fixture(scope="module")
def of_scheme(project):
    """A copy of the saved probe, in the folder of a classifier of the scheme probe."""
    folder = project.root / "models" / "tiny.probe"
    shutil.copytree(project.root / "models" / "tiny", folder)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("words", [("tiny.probe",), ("tiny", "probe"), ("probe",), ("models/tiny.probe",)])
def test_a_classifier_is_named_as_fit_is_called_or_prints_it(project, of_scheme, monkeypatch, words):
    monkeypatch.chdir(project.root)
    found = CliRunner().invoke(group, ["errors", *words, "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["folder"] == str(of_scheme.relative_to(project.root))


def test_a_classifier_that_is_not_there_is_told_with_those_that_are_and_the_command(project, of_scheme):
    at = f"--root {project.root}`"
    for words, command in (("tiny.prob", "tiny.probe"), ("prob", "tiny.probe"), ("tiyn", "tiny")):
        told = errors(project, words)
        assert told.exit_code == 3
        assert "Saved are: tiny, " in told.stderr
        assert f"tiny.probe. Take one of them, as in `finetune-alf errors {command} {at}" in told.stderr
    assert f"or run `finetune-alf fit tfidf --study tiny {at} first" in errors(project, "tiny", "tfidf").stderr
    assert "or run" not in errors(project, "tiny", "prob").stderr  # no scheme has that name
    assert "beside tiny.probe" in errors(project, "tiny.probe", "--model", "tiny").stderr


def test_a_fit_is_advised_by_name_only_of_a_study_that_there_is(project, tmp_path):
    (tmp_path / "params.yaml").write_text(PROJECT)
    for word, advised in (("nobody", "fit"), ("tiny", "fit tiny"), ("tiny.probe", "fit probe --study tiny")):
        told = CliRunner().invoke(group, ["predict", word, "-", "--root", str(tmp_path)], input="text\ngood\n")
        assert told.exit_code == 3
        assert f"None is saved. Run `finetune-alf {advised} --root {tmp_path}` first" in told.stderr
    assert "or run" not in errors(project, "nobody").stderr
    assert errors(project, "tiny", "probe", "more").exit_code == 2


def test_what_cannot_be_listed_is_refused_with_a_way_out(project, tmp_path):
    refused = errors(project, "--out", "errors.xlsx")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert ".csv" in refused.stderr
    for out, fault in (
        (tmp_path / "none" / "errors.csv", "no folder"),
        (project.root / "meals.csv", "the table that is"),
    ):
        assert fault in errors(project, "--out", str(out)).stderr
    missing = errors(project, "--model", "tiny.uniform", "--json")
    assert missing.exit_code == 3
    assert "run `finetune-alf fit uniform --study tiny" in json.loads(missing.stdout)["error"]["message"]
    folder = shutil.copytree(project.root / "models" / "tiny", tmp_path / "other")
    record = read_json(folder / RECORD_FILE)
    write_json(folder / RECORD_FILE, {**record, "label_names": ["left", "right"]})
    other = errors(project, "--model", str(folder))
    assert other.exit_code == 3
    assert "has the classes left, right, and films has bad, good" in other.stderr


def test_a_transfer_that_has_not_run_or_ran_on_another_draw_is_named(project, tmp_path):
    ctx, sample = context_of(project.root), project.sample
    with pytest.raises(
        InputError, match=r"No transfer of tiny to films has run\. Run `finetune-alf transfer tiny films"
    ):
        read_predictions(replace(ctx, paths=Paths(tmp_path)), "tiny", sample)
    redrawn = replace(sample, card=sample.card.model_copy(update={"digest": "0"}))
    with pytest.raises(InputError, match="another draw of films"):
        read_predictions(ctx, "tiny", redrawn)


def test_places_are_those_of_the_files_as_they_were_drawn(project, tmp_path):
    spec, sample = context_of(project.root).sample("films"), project.sample
    places = text_places(sample, spec, project.root)
    lines = (project.root / "meals.csv").read_text().splitlines()
    assert len(places) == 200
    assert all(lines[place.line - 1].startswith(f"{text},") for text, place in places.items())
    assert text_places(sample, spec, tmp_path) == {}
    (tmp_path / "meals.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    assert text_places(sample, spec, tmp_path) == {}


def test_a_place_is_that_of_the_row_with_the_label_that_the_text_has(tmp_path):
    rows = [f"text {number},{'np'[number % 2]}" for number in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", "text 7,unsure", "text  8,unsure", *rows, "text 7,n"]))
    spec = SampleSpec.model_validate(
        {
            "source": {"kind": "files", "train": "t.csv", "text": "text", "label": "label"},
            "labels": {"drop": ["unsure"]},
            **{"n_train": 20, "n_validation": 10, "n_confirmation": 6, "n_test": 4, "max_train_frac": 1},
        }
    )
    prepare_sample("t", spec, tmp_path / "t", tmp_path)
    places = text_places(load_sample(tmp_path / "t"), spec, tmp_path)
    assert {text: place.line for text, place in places.items()} == {f"text {at}": at + 4 for at in range(40)}


def test_a_study_must_be_named_where_there_are_several(project, tmp_path):
    first = PROJECT.replace("studies:\n  tiny:\n", "studies:\n  tiny: &study\n")
    (tmp_path / "params.yaml").write_text(first.replace("\nimportance:", "\n  other: *study\nimportance:"))
    result = errors(replace(project, root=tmp_path))
    assert result.exit_code == 3
    assert "several studies: tiny, other" in result.stderr
    unknown = errors(replace(project, root=tmp_path), "nobody").stderr
    assert "None is saved" in unknown
    assert "Studies are: tiny, other." in unknown


def test_scores_and_several_tasks_are_refused(project, tmp_path):
    counts = {"n_train": 4, "n_validation": 4, "n_confirmation": 4, "n_test": 4, "max_train_frac": 0.5}
    (tmp_path / "scores.csv").write_text("text,label\n" + "".join(f"text {row},{row}.5\n" for row in range(20)))
    scores = FilesSource(train="scores.csv", text="text", label="label")
    ctx = replace(context_of(project.root), paths=Paths(tmp_path))
    prepare_sample(
        "films", SampleSpec(source=scores, problem_type="regression", **counts), ctx.paths.sample("films"), tmp_path
    )
    with pytest.raises(InputError, match="labels of films are scores"):
        find_errors(ctx, "tiny", project.root / "models" / "tiny")
    tasks = {name: SampleSpec(source=MiniSource(domain="films"), **counts) for name in ("one", "two")}
    prepare_mixture("films", MixtureSpec(tasks=tasks), ctx.paths.sample("films"))
    with pytest.raises(InputError, match="films is a mixture of one, two"):
        find_errors(ctx, "tiny", project.root / "models" / "tiny")
