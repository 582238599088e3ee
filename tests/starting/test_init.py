"""`finetune-alf init`: from a table to the files of a project, which the other commands take as they are."""

import csv
import json
import math
import random
import shlex
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from finetune_alf.cli.entry import group
from finetune_alf.cost.speed import Speed
from finetune_alf.data.sample import load_sample
from finetune_alf.errors import InputError
from finetune_alf.experiments.registry import load_params
from finetune_alf.jobs import loader
from finetune_alf.paths import Paths
from finetune_alf.planning.probe import Probe
from finetune_alf.register.lock import ALIASES
from finetune_alf.running.context import ProgressBar
from finetune_alf.starting.encoders import find_encoder, name_of
from tiny import BAD, GOOD, save_tiny


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny(tmp_path_factory.mktemp("tiny")).path


def reviews(n: int = 120) -> list[dict[str, str]]:
    draw = random.Random(0)
    return [
        {
            "id": f"{row}",
            "Révision": f"{draw.choice(BAD if row % 2 else GOOD)} {row}",
            "verdict": ("höflich", "no: bad")[row % 2],
        }
        for row in range(n)
    ]


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def init(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, ["init", *words, "--root", str(root)])


def test_the_files_of_a_project_and_every_guess_with_what_was_seen(tmp_path: Path, tiny: str) -> None:
    write_csv(tmp_path / "My reviews.csv", reviews())
    told = init(tmp_path, str(tmp_path / "My reviews.csv"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    lines = dict(line.split(": ", 1) for line in told.stdout.splitlines())
    assert lines["text"] == "column 'Révision' (5 words on average, 120 different texts)"
    assert lines["label"] == "column 'verdict' (2 different values in 120 rows)"
    assert lines["classes"] == "höflich 60, no: bad 60; even (each class has 60 rows)"
    assert lines["sizes"] == "48 to train, 24 to choose, 24 to confirm, 24 to test (120 different texts)"
    assert lines["max_tokens"].startswith("32 (0% of the texts are longer; half have at most ")
    assert lines["Next"] == f"finetune-alf run --root {tmp_path}"
    root = f"--root {tmp_path}"
    assert lines["To know its time beforehand"] == f"finetune-alf prepare {root}, then finetune-alf plan {root}"

    params = load_params(tmp_path / "params.yaml")
    sample = params.samples["my-reviews"]
    assert (sample.source.train, sample.source.text, sample.source.label) == ("My reviews.csv", "Révision", "verdict")
    assert [study.sample for study in params.studies.values()] == ["my-reviews"]
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr
    card = json.loads((tmp_path / "data/samples/my-reviews/card.json").read_text())
    assert card["label_names"] == ["höflich", "no: bad"]


def test_each_setting_that_a_user_may_want_to_change_is_explained_without_other_knowledge(
    tmp_path: Path, tiny: str
) -> None:
    write_csv(tmp_path / "reviews.csv", reviews())
    assert init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny).exit_code == 0
    text = (tmp_path / "params.yaml").read_text()
    assert "thesis" not in text
    assert "`finetune-alf prepare`, then `finetune-alf plan`, predict" in text.splitlines()[0]
    explained = {line.split(":")[0].strip() for line in text.splitlines() if "  #" in line or " # " in line}
    assert {"n_train", "n_validation", "n_confirmation", "n_test", "max_train_frac", "space", "enqueue"} <= explained
    assert {"studies", "register", "n_top", "transfer", "schemes", "n_seeds", "fit", "rates", "epochs"} <= explained


def test_the_stages_of_dvc_are_those_of_a_run_and_name_what_there_is(tmp_path: Path, tiny: str) -> None:
    write_csv(tmp_path / "reviews.csv", reviews())
    (tmp_path / ".gitignore").write_text("mine.txt")
    assert init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny).exit_code == 0
    params = YAML(typ="safe").load((tmp_path / "params.yaml").read_text())
    written = YAML(typ="safe").load((tmp_path / "dvc.yaml").read_text())
    stages = written["stages"]
    study, paths = next(iter(params["studies"])), Paths(Path())
    assert list(stages) == ["prepare", "study", "importance", "register", "transfer", "fit", "report"]
    for stage in stages.values():
        for key in stage.get("params", []):
            value = params
            for part in key.split("."):
                value = value[part]
        command, *arguments = stage["cmd"].split()[2:]
        assert command in group.list_commands(None)
        assert set(arguments) <= {study, "reviews", "--study"}
    outs = [out for stage in stages.values() for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    outs = [out if isinstance(out, str) else next(iter(out)) for out in outs]
    assert {paths.sample("reviews"), paths.schedules(study), paths.model(study), paths.report} <= set(map(Path, outs))
    deps = {dep for stage in stages.values() for dep in stage.get("deps", [])}
    assert deps <= {*outs, "reviews.csv"}
    plots = [each for stage in stages.values() for plot in stage.get("plots", []) for each in plot.values()]
    assert all((tmp_path / plot["template"]).exists() for plot in plots)
    assert stages["prepare"]["deps"] == ["reviews.csv"]
    artifacts = {name: (Path(each["path"]), each["type"]) for name, each in written["artifacts"].items()}
    registered = next(out for out in outs if Path(out) == paths.artifacts(study))
    assert artifacts == {f"{study}-{alias}": (Path(registered) / f"{alias}.json", "schedule") for alias in ALIASES}
    ignored = (tmp_path / ".gitignore").read_text().splitlines()
    assert ignored == ["mine.txt", "/data/samples/", "/models/", "/results/", "/studies/", "/mlruns/", "/dvc_plots/"]


def test_a_run_makes_a_classifier_by_the_scheme_that_is_recommended(tmp_path: Path, tiny: str) -> None:
    write_csv(tmp_path / "reviews.csv", reviews())
    assert init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny).exit_code == 0
    params = load_params(tmp_path / "params.yaml")
    assert {name: fit.scheme for name, fit in params.fit.items()} == {next(iter(params.studies)): "recommended"}


def test_several_columns_are_joined_to_one_text(tmp_path: Path, tiny: str) -> None:
    rows = [{"title": f"Nº {row['id']}", "body": row["Révision"], "verdict": row["verdict"]} for row in reviews()]
    write_csv(tmp_path / "reviews.csv", rows)
    columns = ("--text", "title", "--text", "body")
    told = init(tmp_path, str(tmp_path / "reviews.csv"), *columns, "--join", "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "text: columns 'title' and 'body', joined by ' ' (named by --text)" in told.stdout.splitlines()
    text = load_params(tmp_path / "params.yaml").samples["reviews"].source.text
    assert (text.join, text.by) == (("title", "body"), " ")
    alone = init(tmp_path, str(tmp_path / "reviews.csv"), "--text", "body", "--join", "--encoder", tiny, "--force")
    assert alone.exit_code == 2
    assert "takes two columns or more" in alone.stderr


def test_files_that_are_there_are_kept_unless_forced(tmp_path: Path, tiny: str) -> None:
    write_csv(tmp_path / "reviews.csv", reviews())
    (tmp_path / "params.yaml").write_text("project: mine\n")
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny)
    assert (told.exit_code, told.stdout) == (3, "")
    assert told.stderr == f"{tmp_path}/params.yaml: there already. Name another folder with --root, or pass --force.\n"
    assert (tmp_path / "params.yaml").read_text() == "project: mine\n"
    assert "nosuch.csv: no such file" in init(tmp_path, str(tmp_path / "nosuch.csv"), "--encoder", tiny).stderr
    forced = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny, "--force")
    assert forced.exit_code == 0
    assert "\nNext: " in forced.stdout


def test_scores_become_a_regression(tmp_path: Path, tiny: str) -> None:
    rows = [{"text": row["Révision"], "grade": f"{index % 9 + 0.5}"} for index, row in enumerate(reviews())]
    (tmp_path / "graded.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    told = init(tmp_path, str(tmp_path / "graded.jsonl"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    params = load_params(tmp_path / "params.yaml")
    assert params.samples["graded"].problem_type == "regression"
    assert "finetune-alf fit" not in (tmp_path / "dvc.yaml").read_text()
    assert next(iter(params.studies.values())).metric == "pearson"


def test_scores_with_a_decimal_comma_are_read_by_the_stages_too(tmp_path: Path, tiny: str) -> None:
    rows = [f'{row["Révision"]};"{index % 9},5"' for index, row in enumerate(reviews())]
    (tmp_path / "graded.csv").write_text("\n".join(["text;Note", *rows]), encoding="utf-8")
    told = init(tmp_path, str(tmp_path / "graded.csv"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "task: a score (numbers with fractions and a decimal comma, 9 different ones)" in told.output
    assert load_params(tmp_path / "params.yaml").samples["graded"].source.decimal == ","
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr
    train = load_sample(Paths(tmp_path).sample("graded")).splits["train"]
    assert set(train.labels) <= {number + 0.5 for number in range(9)}


@pytest.mark.parametrize("words", [[], ["--budget", "1d"]])
@pytest.mark.parametrize("is_below", [False, True])
def test_a_table_may_be_a_link_to_a_file_of_another_name(
    tmp_path: Path, tiny: str, is_below: bool, words: list[str]
) -> None:
    """As caches of DVC and of the hub have them: the contents lie under their digest, without an extension."""
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (root, elsewhere):
        folder.mkdir()
    write_csv(elsewhere / "4d2f", reviews())
    table = (root if is_below else elsewhere) / "reviews.csv"
    table.symlink_to(elsewhere / "4d2f")
    told = init(root, str(table), "--encoder", tiny, *words)
    assert told.exit_code == 0, told.stderr
    source = load_params(root / "params.yaml").samples["reviews"].source
    assert source.train == ("reviews.csv" if is_below else str(table))
    assert CliRunner().invoke(group, ["prepare", "--root", str(root)]).exit_code == 0


def test_a_table_that_is_not_there_writes_nothing(tmp_path: Path) -> None:
    told = init(tmp_path / "new", str(tmp_path / "reviews.csv"))
    assert (told.exit_code, told.stdout) == (3, "")
    assert "no such file" in told.stderr
    assert not (tmp_path / "new").exists()


def test_an_encoder_is_found_by_the_name_that_a_preset_gives_it(tmp_path: Path) -> None:
    name, spec = find_encoder("distilbert", tmp_path)
    assert (name, spec["name"]) == ("distilbert", "distilbert/distilbert-base-uncased")
    assert find_encoder(f"org/Some_Model@{'a' * 40}", tmp_path) == (
        "some-model",
        {"kind": "hub", "name": "org/Some_Model", "revision": "a" * 40},
    )
    with pytest.raises(InputError, match=r"did you mean distilbert\?"):
        find_encoder("distilbet", tmp_path)
    assert [name_of(text) for text in ("My Reviews_2", "评论", "-x-")] == ["my-reviews-2", "own", "x"]


@pytest.mark.usefixtures("quick_probes")
def test_a_budget_sizes_the_search_and_leaves_no_file_behind(tmp_path: Path, tiny: str) -> None:
    write_csv(tmp_path / "reviews.csv", reviews())
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny, "--budget", "20h", "--json")
    assert told.exit_code == 0, told.stderr
    assert "search: 120 trials, 5 seeds; predicted: " in told.stderr
    document = json.loads(told.stdout)
    assert document["guesses"]["label"]["value"] == "verdict"
    assert document["fits_budget"]
    assert "Next: finetune-alf run" in told.stderr
    assert [study.n_trials for study in load_params(tmp_path / "params.yaml").studies.values()] == [120]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".gitignore", "dvc.yaml", "params.yaml", "plots", "reviews.csv"]


def test_repeated_texts_and_rows_in_no_split_are_told_with_the_reason(tmp_path: Path, tiny: str) -> None:
    rows = [*reviews(241), reviews(2)[0]]
    write_csv(tmp_path / "reviews.csv", rows)
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    lines = dict(line.split(": ", 1) for line in told.stdout.splitlines())
    assert lines["repeated texts"] == "1 row left out, each text is taken once, with its first label"
    assert lines["sizes"].endswith("(241 different texts, 1 of them in no split)")
    assert lines["in no split"].startswith("1 of larger classes, since an even draw takes as many of each class")


def test_rows_without_a_text_are_counted_and_left_out(tmp_path: Path, tiny: str) -> None:
    rows = reviews()
    rows[3]["Révision"] = rows[8]["Révision"] = " "
    write_csv(tmp_path / "reviews.csv", rows)
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "empty rows: left out (2 without Révision)" in told.stdout
    assert load_params(tmp_path / "params.yaml").samples["reviews"].on_empty == "drop"
    assert CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)]).exit_code == 0


def parted(row: int) -> dict[str, str]:
    """A row with a title and a body; one in ten has neither, one in nine no verdict."""
    title = "" if row % 10 == 3 or row % 4 == 0 else f"title {row}"
    body = "" if row % 10 == 3 else f"{BAD[0] if row % 2 else GOOD[0]} {row}"
    return {"title": title, "body": body, "verdict": "" if row % 9 == 0 else "np"[row % 2]}


def flagged(row: int) -> dict[str, str]:
    """A row with two classes of its own columns; one in ten lacks one of them."""
    return {"body": f"{GOOD[row % 4]} {row}", "rude": "" if row % 10 == 3 else f"{row % 2}", "late": f"{row % 3 // 2}"}


@pytest.mark.parametrize(
    ("make", "words", "line"),
    [
        (
            parted,
            ["--text", "title", "--text", "body", "--join", "--label", "verdict"],
            "empty rows: left out (14 without verdict, 25 rows in all)",
        ),
        (flagged, ["--label", "rude", "--label", "late"], "empty rows: left out (12 without rude)"),
    ],
)
def test_whatever_row_init_leaves_out_prepare_does_too(
    tmp_path: Path, tiny: str, make: Callable[[int], dict[str, str]], words: list[str], line: str
) -> None:
    write_csv(tmp_path / "reviews.csv", [make(row) for row in range(120)])
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny, *words)
    assert told.exit_code == 0, told.stderr
    assert line in told.stdout.splitlines()
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr


def test_nan_in_a_table_of_arrow_is_an_empty_cell(tmp_path: Path, tiny: str) -> None:
    labels = [math.nan if row % 10 == 3 else float(row % 2) for row in range(120)]
    table = pa.table({"text": [f"{GOOD[row % 4]} {row}" for row in range(120)], "label": labels})
    pq.write_table(table, tmp_path / "t.parquet")
    told = init(tmp_path, str(tmp_path / "t.parquet"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "empty rows: left out (12 without label)" in told.stdout.splitlines()
    assert "task: classes (2 different whole numbers)" in told.stdout.splitlines()
    assert CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)]).exit_code == 0


def test_an_empty_cell_of_classes_is_no_empty_row_but_a_missing_one_is(tmp_path: Path, tiny: str) -> None:
    names = ["a|b", "b|c", "a", "c", "", None, "b", "a|c"]
    rows = [{"text": f"{GOOD[row % 4]} {row}", "tags": names[row % 8]} for row in range(200)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = init(tmp_path, str(tmp_path / "t.jsonl"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "task: several classes a text (a text can have any number of them)" in told.stdout.splitlines()
    assert "empty rows: left out (25 without tags)" in told.stdout.splitlines()
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr
    assert "25 have no text or label" in prepared.stdout


def test_classes_of_a_few_rows_are_left_out_and_likely_mistakes_named(tmp_path: Path, tiny: str) -> None:
    rows = reviews()
    for row, verdict in zip(rows, ["odd", "odd", *["Höflich"] * 6], strict=False):
        row["verdict"] = verdict
    write_csv(tmp_path / "reviews.csv", rows)
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "left out: odd 2 (too few rows to learn and to test)" in told.stdout
    assert any(line.startswith("note: The classes ") and "Höflich" in line for line in told.stdout.splitlines())
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr
    card = json.loads((tmp_path / "data/samples/reviews/card.json").read_text())
    assert sorted(card["label_names"]) == ["Höflich", "höflich", "no: bad"]


def test_classes_that_are_numbers_or_have_commas_are_told_from_their_counts(tmp_path: Path, tiny: str) -> None:
    grades = ("1", "2", "so, so", "good")
    rows = [{"text": f"{row['Révision']} {index}", "grade": grades[index % 4]} for index, row in enumerate(reviews())]
    write_csv(tmp_path / "grades.csv", rows)
    told = init(tmp_path, str(tmp_path / "grades.csv"), "--encoder", tiny)
    assert "classes: '1' 30, '2' 30, good 30, 'so, so' 30;" in told.output


@pytest.mark.parametrize(
    ("labels", "kept", "balance"),
    [(("-1", "0", "1"), {"0", "1"}, "even"), (("pos", "POS", "neg"), {"POS", "neg"}, "natural")],
)
def test_the_labels_that_a_note_names_apply_before_sizes_and_balance_are_guessed(
    tmp_path: Path, tiny: str, labels: tuple[str, ...], kept: set[str], balance: str
) -> None:
    write_csv(tmp_path / "a.csv", [row | {"verdict": labels[at % 3]} for at, row in enumerate(reviews(300))])
    words = [str(tmp_path / "a.csv"), "--encoder", tiny]
    told = init(tmp_path, *words)
    assert told.exit_code == 0, told.stderr
    (note,) = (line for line in told.stdout.splitlines() if line.startswith("note: The class"))
    again = init(tmp_path, *words, *shlex.split(note.partition("run this again with ")[2].rstrip(".")))
    assert again.exit_code == 0, again.stderr
    assert "note: " not in again.stdout
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr
    assert load_params(tmp_path / "params.yaml").samples["a"].balance == balance
    assert set(json.loads((tmp_path / "data/samples/a/card.json").read_text())["label_names"]) == kept


def test_labels_that_no_sample_could_have_are_refused(tmp_path: Path, tiny: str) -> None:
    write_csv(tmp_path / "a.csv", reviews())
    for given, fault in (
        ("{drop: [nobody]}", "labels.drop: must name labels of the source ('höflich', 'no: bad'), but got 'nobody'"),
        ("{skip: [1]}", "labels: must be as in a sample, such as {drop: [-1]}"),
        ("[-1]", "--labels"),
    ):
        told = init(tmp_path, str(tmp_path / "a.csv"), "--encoder", tiny, "--labels", given)
        assert told.exit_code == 3
        assert fault in told.stderr


def test_labels_of_a_table_of_scores_are_refused_with_the_option(tmp_path: Path) -> None:
    rows = [{"text": f"{row} {GOOD[0]}", "label": str(row % 30 - 1)} for row in range(90)]
    write_csv(tmp_path / "a.csv", rows)
    told = init(tmp_path, str(tmp_path / "a.csv"), "--labels", "{drop: [-1]}", "--json")
    assert json.loads(told.stdout)["error"]["option"] == "--labels"
    assert "labels: must be left out where labels are scores" in told.stderr
    assert "column 'label' has 30 different whole numbers, more than 20. Leave it out" in told.stderr


def test_too_few_rows_are_told_without_advice_about_their_classes(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [{"text": f"{row} {GOOD[0]}", "label": "abcd"[row % 4]} for row in range(20)])
    told = init(tmp_path, str(tmp_path / "a.csv"))
    assert "rows: must be at least 40 different texts with labels, but got 20" in told.stderr
    assert "--labels" not in told.output


def test_uneven_classes_weigh_the_same_in_the_loss(tmp_path: Path, tiny: str) -> None:
    rows = [row for index, row in enumerate(reviews(240)) if index % 2 or index % 6 == 0]
    write_csv(tmp_path / "reviews.csv", rows)
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "note: 8 of the 32 texts to choose by are of class" in told.output
    params = load_params(tmp_path / "params.yaml")
    (study,) = params.studies.values()
    assert (study.metric, study.recipe.class_weights) == ("balanced_accuracy", "balanced")
    assert params.samples["reviews"].balance == "natural"

    def prepared() -> str:
        return CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)]).stdout

    assert "uneven" not in prepared()  # nothing is left to set
    written = (tmp_path / "params.yaml").read_text().replace("class_weights: balanced", "class_weights: null")
    (tmp_path / "params.yaml").write_text(written)
    assert "set `class_weights: balanced` of the recipe" in prepared()


@pytest.mark.usefixtures("quick_probes")
def test_what_a_budget_cuts_is_told_once_with_what_the_whole_takes(tmp_path: Path, tiny: str) -> None:
    write_csv(tmp_path / "reviews.csv", reviews(400))
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny, "--budget", "1s")
    assert told.exit_code == 0, told.stderr
    names = [line.partition(":")[0] for line in told.stdout.splitlines()]
    assert (names.count("sizes"), names.count("max_tokens"), names.count("cut")) == (1, 1, 1)
    lines = dict(line.split(": ", 1) for line in told.stdout.splitlines())
    assert lines["cut"].startswith(
        "160 rows to train to 40, 16 texts a batch to 8, 24 trials to 8, 5 seeds to 2; the run without a budget is "
    )
    assert lines["sizes"].startswith("40 to train")
    assert lines["sizes"].endswith("(400 different texts, 120 of them in no split; cut to fit the budget)")
    assert lines["search"].startswith("8 trials, 2 seeds (too few for a verdict, which takes 5); predicted: ")
    assert "To know its time beforehand" not in lines
    (study,) = load_params(tmp_path / "params.yaml").studies.values()
    assert study.recipe.batch == 8
    text = (tmp_path / "params.yaml").read_text()
    assert "# of 400 different texts, 120 of them in no split; cut to fit the budget\n" in text
    assert "timing steps: 7/7" in told.stderr
    assert names.index("budget") < names.index("cut")


@pytest.mark.usefixtures("quick_probes")
def test_a_budget_loads_the_encoder_and_times_steps_once_however_many_sizes_it_tries(
    tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_timed, loaded = 0, []
    timed, loads = Probe.speed, loader.load_encoder

    def counted(self: Probe, bar: ProgressBar) -> Speed:
        nonlocal n_timed
        n_timed += 1
        return timed(self, bar)

    monkeypatch.setattr(Probe, "speed", counted)
    monkeypatch.setattr(loader, "load_encoder", lambda *given: loaded.append(given) or loads(*given))
    write_csv(tmp_path / "reviews.csv", reviews(400))
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny, "--budget", "1s")
    assert told.exit_code == 0, told.stderr
    assert "sizes: 40 to train" in told.stdout
    assert n_timed == len(loaded) == 1


@pytest.mark.usefixtures("quick_probes")
def test_where_no_search_fits_the_budget_the_last_lines_say_what_the_smallest_takes_and_what_to_do(
    tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = 0.0
    monkeypatch.setattr("finetune_alf.starting.init.load_average", lambda: load)
    monkeypatch.setattr("finetune_alf.compute.load.STARVED", 0.0)  # whatever else this machine does
    write_csv(tmp_path / "reviews.csv", reviews(400))
    words = (str(tmp_path / "reviews.csv"), "--encoder", tiny, "--budget", "1s")
    told = init(tmp_path, *words)
    search, *_, over, run, fit = told.stdout[told.stdout.index("search: ") :].splitlines()
    predicted = search.removesuffix(", the smallest search, which does not fit the budget").partition("predicted: ")[2]
    assert over == f"over budget: no search fits into 1s; the smallest is written, and predicted to take {predicted}"
    assert run == f"To run it all the same: finetune-alf run --root {tmp_path}"
    assert fit.startswith("Plain fine-tuning alone, one fit without a search: finetune-alf prepare")
    assert fit.endswith(f"finetune-alf fit baseline --root {tmp_path}")
    load = 99.0
    busy = init(tmp_path, *words, "--force")
    assert "The machine is busy" not in told.stdout
    assert busy.stdout.splitlines()[-1].startswith("The machine is busy: when it is not")
    note = busy.stdout.partition("\nnote: This machine is busy: the load average is 99.0")[2]
    assert "Fits take longer than predicted for free cores" in note.partition("\n")[0]  # processor time is predicted
    assert "\nsearch: " not in note
    document = json.loads(init(tmp_path, *words, "--force", "--json").stdout)
    assert not document["fits_budget"]
    assert document["predicted_seconds"] > 1
