"""`finetune-alf init`: from a table to the files of a project, which the other commands take as they are."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from init_tables import init, reviews, write_csv
from ruamel.yaml import YAML

from finetune_alf.cli.entry import group
from finetune_alf.data.sample import load_sample
from finetune_alf.errors import InputError
from finetune_alf.experiments.registry import load_params
from finetune_alf.paths import Paths
from finetune_alf.register.lock import ALIASES
from finetune_alf.starting.encoders import find_encoder, name_of


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
