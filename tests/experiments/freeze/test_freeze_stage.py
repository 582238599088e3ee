"""A sweep over two tasks of different kinds, through the command, the real store and the report."""

import copy
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sweeps import PARAMS, spec, write_project

from finetune_alf.cli.entry import group
from finetune_alf.data.sample import Split, load_sample
from finetune_alf.errors import DataError
from finetune_alf.experiments.freeze.bench import swept
from finetune_alf.experiments.freeze.stage import _in_short, freeze
from finetune_alf.experiments.registry import load_params
from finetune_alf.files import read_json, read_jsonl, write_json
from finetune_alf.paths import Paths
from finetune_alf.report.write import write_report
from finetune_alf.running.context import Context, SilentConsole
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.train.job import FitRunner


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "--root", str(root)])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_project(tmp_path_factory.mktemp("sweep") / "project")
    told = run(root, "run")
    assert told.exit_code == 0, told.output
    assert "tiny, cola-like: matthews" in told.output
    return root


@pytest.fixture(scope="module")
def tables(done: Path) -> dict:
    return read_json(Paths(done).freeze("tiny"))


@pytest.fixture(scope="module")
def cells(done: Path) -> list[dict]:
    return read_jsonl(Paths(done).freeze("tiny").with_suffix(".jsonl"))


def test_there_is_a_line_for_every_sample_level_and_seed(cells: list[dict]) -> None:
    keys = [(row["sample"], row["n_frozen"], row["seed"]) for row in cells]
    seeds = {seed for _, _, seed in keys}
    assert len(seeds) == 2
    assert set(keys) == {(s, n, seed) for s in ("cola-like", "scored") for n in (None, 1, 2) for seed in seeds}
    assert len(keys) == len(set(keys)) == 12


def test_what_is_frozen_does_not_learn(cells: list[dict]) -> None:
    opened = {row["n_frozen"]: row["n_trainable_parameters"] for row in cells if row["sample"] == "scored"}
    assert opened[None] > opened[1] > opened[2] > 0


def test_the_rate_is_that_of_the_best_validation_score_of_the_full_model(tables: dict, cells: list[dict]) -> None:
    for name, told in tables["samples"].items():
        scores = {float(rate): own for rate, own in told["search"]["scores"].items()}
        assert set(scores) == {1e-3, 3e-3}
        assert told["search"]["rate"] == min(scores, key=lambda rate: (-scores[rate][0], rate))
        own = [row for row in cells if row["sample"] == name]
        assert {row["rate"] for row in own} == {told["search"]["rate"]}
        first = next(row for row in own if row["n_frozen"] is None)
        assert first["validation_score"] == scores[told["search"]["rate"]][0]


def test_a_sample_without_test_rows_is_scored_on_validation_and_the_page_says_so(done: Path, tables: dict) -> None:
    assert {name: own["sample"]["scored_on"] for name, own in tables["samples"].items()} == {
        "cola-like": "test",
        "scored": "validation",
    }
    page = (done / "results" / "report" / "report.md").read_text()
    assert "Scored on the same split that chose the rate, for want of test rows: `scored`." in page


def test_metrics_are_those_asked_for_or_the_tasks_own(tables: dict, cells: list[dict]) -> None:
    assert tables["samples"]["cola-like"]["sample"]["metrics"] == ["matthews", "accuracy"]
    assert tables["samples"]["scored"]["sample"]["metrics"] == ["pearson", "spearman"]
    for name, told in tables["samples"].items():
        for level, own in told["levels"].items():
            n_frozen = None if level == "none" else int(level)
            rows = [row for row in cells if (row["sample"], row["n_frozen"]) == (name, n_frozen)]
            for metric, estimate in own["scores"].items():
                assert estimate["by_seed"] == pytest.approx([row["scores"][metric] for row in rows])
                assert estimate["mean"] == pytest.approx(sum(estimate["by_seed"]) / 2)
                assert estimate["low"] <= estimate["mean"] <= estimate["high"]


def test_relative_scores_are_those_of_the_same_seeds_and_zero_for_the_full_model(tables: dict) -> None:
    for told in tables["samples"].values():
        for metric in told["sample"]["metrics"]:
            full = told["levels"]["none"]["scores"][metric]["mean"]
            assert told["levels"]["none"]["relative"][metric] == {"mean": 0.0, "low": 0.0, "high": 0.0}
            for own in told["levels"].values():
                assert own["relative"][metric]["mean"] == pytest.approx(own["scores"][metric]["mean"] - full)


def test_operating_points_keep_what_they_say(tables: dict) -> None:
    for told in tables["samples"].values():
        frozen = [level for name, level in told["levels"].items() if name != "none"]
        for metric, own in told["operating"].items():
            full = own["full"]["mean"]
            means = {level["n_trained"]: level["scores"][metric]["mean"] for level in frozen}
            for kind, floor in (("raw", 0.0), ("gain", own["majority"])):
                keeping = [n for n, mean in means.items() if mean - floor >= 0.9 * (full - floor)]
                expected = min(keeping, default=None) if full > floor else None
                assert (own[kind] and own[kind]["n_trained"]) == expected


def test_cost_falls_with_what_is_frozen(tables: dict) -> None:
    for told in tables["samples"].values():
        levels = [told["levels"][name] for name in ("none", "1", "2")]
        assert [own["flops"] for own in levels] == sorted((own["flops"] for own in levels), reverse=True)
        assert all(own["seconds"] > 0 and own["memory_bytes"] > 0 for own in levels)
        assert set(told["front"]) <= set(told["levels"])


def test_the_page_holds_the_tables_and_their_figures(done: Path, tables: dict) -> None:
    page = (done / "results" / "report" / "report.md").read_text()
    assert "## Freeze sweep `tiny`" in page
    assert "- Freeze sweep **`tiny`**: " in page
    assert "`cola-like` stands apart, as in the paper" in page
    assert "3 to 5 of 12 layers of BERT-base and RoBERTa-base" in page
    for name in ("levels", "relative", "seconds"):
        assert f"figures/tiny-{name}.png" in page
        assert (done / "results" / "report" / "figures" / f"tiny-{name}.png").stat().st_size > 5000
    mean = tables["samples"]["scored"]["levels"]["1"]["scores"]["pearson"]["mean"]
    assert f"{mean:.3f}".replace("0.", ".", 1) in page


def test_mlflow_has_a_run_for_each_fit_the_shared_ones_once(done: Path) -> None:
    tracker = MlflowTracker(done)
    (parent,) = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.freeze` = 'tiny'")
    assert parent.info.status == "FINISHED"
    nested = tracker.client.search_runs(
        [tracker.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", max_results=100
    )
    assert len(nested) == 2 * (2 + 3 * 2 - 1)
    of_scores = [run for run in nested if run.data.tags["alf.sample"] == "scored"]
    assert all("validation.pearson" in run.data.metrics for run in of_scores)
    assert {run.data.tags["alf.frozen"] for run in nested} == {"none", "1", "2"}


def test_a_stopped_sweep_keeps_its_cells_and_does_no_fit_twice(
    done: Path, cells: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_project(tmp_path / "again", PARAMS)
    shutil.copytree(done / "data", root / "data")
    shutil.copytree(done / "mlruns", root / "mlruns")
    context = Context(load_params(root / "params.yaml"), Paths(root))
    fitted, real, most = [], FitRunner.__call__, 7

    def counting(self, job, report):
        if len(fitted) == most:
            raise KeyboardInterrupt
        fitted.append(job.key)
        return real(self, job, report)

    monkeypatch.setattr(FitRunner, "__call__", counting)
    with pytest.raises(KeyboardInterrupt):
        freeze(context, "tiny")
    path = context.paths.freeze("tiny").with_suffix(".jsonl")
    before = read_jsonl(path)
    assert len(before) == 2 + 3  # two of the line search's four fits are cells, three came after it
    assert not context.paths.freeze("tiny").exists()
    most = 100
    freeze(context, "tiny")
    assert len(fitted) == len(set(fitted)) == 14

    def told(rows: list[dict]) -> list[tuple]:
        return [(row["sample"], row["n_frozen"], row["seed"], row["scores"]) for row in rows]

    assert told(read_jsonl(path)) == told(cells)
    assert all(row in told(cells) for row in told(before))


def test_a_metric_of_other_labels_is_refused_before_anything_is_fitted(done: Path, tmp_path: Path) -> None:
    told = run(write_project(tmp_path / "wrong", PARAMS.replace("[matthews, accuracy]", "[pearson]")), "freeze", "tiny")
    assert told.exit_code == 3
    assert "freeze.tiny.metrics.cola-like" in told.stderr
    assert "but got pearson" in told.stderr


def test_so_is_one_of_the_labels_that_a_sample_had_when_it_was_drawn(done: Path, tmp_path: Path) -> None:
    changed = PARAMS.replace("    problem_type: regression\n", "").replace("metrics: {", "metrics: {scored: [f1], ")
    root = write_project(tmp_path / "changed", changed)
    shutil.copytree(done / "data", root / "data")
    told = run(root, "freeze", "tiny")
    assert told.exit_code == 3
    assert "freeze.tiny.metrics.scored: must be of pearson, spearman, since its labels are score" in told.stderr


def test_a_sample_without_validation_rows_has_nothing_to_search_the_rate_on(done: Path, tmp_path: Path) -> None:
    root = write_project(tmp_path / "empty", PARAMS.replace("n_validation: 24", "n_validation: 0", 1))
    told = run(root, "freeze", "tiny")
    assert told.exit_code == 3
    assert "samples.cola-like.n_validation: must be above 0, since freeze.tiny is" in told.stderr
    sample = load_sample(Paths(done).sample("scored"))
    empty = replace(sample, splits={**sample.splits, "validation": Split((), ())})
    with pytest.raises(DataError, match=r"scored: must have rows in its validation split, but has none\. Raise n_val"):
        swept("tiny", spec(samples=["scored"]), empty)


def test_too_many_frozen_layers_are_refused_by_the_sweeps_own_name(done: Path, tmp_path: Path) -> None:
    root = write_project(tmp_path / "deep", PARAMS.replace("n_frozen: [1, all]", "n_frozen: [3]"))
    shutil.copytree(done / "data", root / "data")
    told = run(root, "freeze", "tiny")
    assert (told.exit_code, told.stderr.partition(":")[0]) == (3, "freeze.tiny.n_frozen")


class Listening(SilentConsole):
    """Keeps what stands beside the bar, and what is said at the end."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.said: list[str] = []

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator["Listening"]:
        yield self

    def advance(self, note: str = "") -> None:
        self.notes.append(note)

    def say(self, line: str) -> None:
        self.said.append(line)


def test_beside_the_bar_stand_validation_scores_and_a_sweep_that_is_done_fits_nothing(
    done: Path, cells: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FitRunner, "__call__", lambda *given: pytest.fail("nothing is left to fit"))
    console = Listening()
    freeze(Context(load_params(done / "params.yaml"), Paths(done), console), "tiny")
    assert [note.partition(" ")[2] for note in console.notes[-12:]] == [
        f"{row['validation_score']:.3f} on validation" for row in cells
    ]
    assert [line.partition(":")[0] for line in console.said] == ["tiny, cola-like", "tiny, scored"]


@pytest.mark.parametrize(
    ("raw", "gain", "told"),
    [
        (3, 4, "f1 0.800 with all layers; 90% of it with 3 of 6 trained, of the gain with 4"),
        (3, None, "f1 0.800 with all layers; 90% of it with 3 of 6 trained, of the gain with all"),
        (0, "none", "f1 0.800 with all layers; 90% of it with 0 of 6 trained, no gain over one answer for all"),
        ("none", "none", "f1 0.800 with all layers; nothing to keep, no gain over one answer for all"),
    ],
)
def test_nothing_gained_is_not_told_as_nothing_kept(raw, gain, told: str) -> None:
    points = {name: None if n == "none" else {"n_trained": n} for name, n in (("raw", raw), ("gain", gain))}
    table = {"sample": {"metrics": ["f1"]}, "operating": {"f1": {"full": {"mean": 0.8}, **points}}}
    assert _in_short(spec(), table, 6) == told


def test_an_unknown_sweep_is_answered_with_those_there_are(done: Path) -> None:
    told = run(done, "freeze", "elsa")
    assert (told.exit_code, told.stderr) == (3, "freeze: must have an entry `elsa`, but got tiny. Check params.yaml.\n")


def page_of(root: Path, **documents: dict) -> Path:
    """Write the report on these sweeps."""
    for name, document in documents.items():
        write_json(Paths(root).freeze(name), document | {"name": name})
    return write_report(Paths(root))


def test_dropout_left_out_of_what_is_frozen_is_told_on_the_page(done: Path, tables: dict, tmp_path: Path) -> None:
    off = tables | {"recipe": tables["recipe"] | {"frozen_dropout": "off"}}
    assert "(class S)" in page_of(tmp_path, tiny=off).read_text()
    assert "(class S)" not in (done / "results" / "report" / "report.md").read_text()


@pytest.mark.parametrize(
    ("raw", "gain", "told"),
    [
        (
            1,
            2,
            "kept with 1 of 2 layers trained, `cola-like` apart; over naming the commonest class, of its gain with 2.",
        ),
        (None, None, "score is kept with 2 of 2 layers trained"),
        (0, "nothing", "over naming the commonest class, no full model gains anything."),
        ("nothing", "nothing", "no full model scores above 0, so that there is nothing to keep."),
    ],
)
def test_the_range_of_operating_points_leaves_cola_out(tables: dict, tmp_path: Path, raw, gain, told: str) -> None:
    document = copy.deepcopy(tables)
    points = [None if n == "nothing" else {"n_trained": n, "n_sure": None, "is_steady": True} for n in (raw, gain)]
    document["samples"]["scored"]["operating"]["pearson"] |= dict(zip(("raw", "gain"), points, strict=True))
    lines = page_of(tmp_path, tiny=document).read_text().splitlines()
    (line,) = [each for each in lines if each.startswith("- Freeze")]
    assert told in line


def test_a_gain_that_some_samples_lack_is_told_as_that_of_the_others(tables: dict, tmp_path: Path) -> None:
    document = copy.deepcopy(tables)
    document["samples"] = {
        "one": {**document["samples"]["scored"], "operating": {"pearson": point_of(1, 1)}},
        "other": {**document["samples"]["scored"], "operating": {"pearson": point_of(0, None)}},
    }
    page = page_of(tmp_path, tiny=document).read_text()
    assert "kept with 0 to 1 of 2 layers trained; over naming" in page
    assert "of its gain with 1 where it gains anything." in page


def point_of(raw: int, gain: int | None) -> dict:
    ends = {"mean": 0.5, "low": 0.4, "high": 0.6}
    points = {
        name: None if n is None else {"n_trained": n, "n_sure": None, "is_steady": True}
        for name, n in (("raw", raw), ("gain", gain))
    }
    return {"majority": 0.0, "full": ends, "above_majority": ends, "none_trained": ends, **points}


def test_the_gain_is_over_one_answer_for_all_and_one_that_may_be_nothing_is_told(tables: dict, tmp_path: Path) -> None:
    document = copy.deepcopy(tables)
    for told in tables["samples"].values():
        for own in told["operating"].values():
            assert own["above_majority"]["mean"] == pytest.approx(own["full"]["mean"] - own["majority"])
    sure, unsure = ({"mean": 0.2, "low": low, "high": 0.3} for low in (0.1, -0.1))
    for name, metric in (("cola-like", "matthews"), ("cola-like", "accuracy"), ("scored", "pearson")):
        document["samples"][name]["operating"][metric]["above_majority"] = sure
    document["samples"]["scored"]["operating"]["spearman"]["above_majority"] = unsure
    page = page_of(tmp_path, tiny=document).read_text()
    assert "better than the commonest class: `scored` by spearman. What keeps its gain there is left to chance." in page


def test_fits_that_diverged_are_named(done: Path, tables: dict, tmp_path: Path) -> None:
    document = copy.deepcopy(tables)
    document["samples"]["scored"]["levels"]["1"] |= {"n_seeds": 1, "n_diverged": 1}
    page = page_of(tmp_path, tiny=document).read_text()
    assert "Diverged, and left out of all means: `scored` with 1 frozen, 1 fit of 2." in page
    assert "Diverged" not in (done / "results" / "report" / "report.md").read_text()


def test_no_difference_is_called_none_that_another_metric_sees(tables: dict, tmp_path: Path) -> None:
    document = copy.deepcopy(tables)
    for told in document["samples"].values():
        for level in told["levels"].values():
            level["relative"] = {metric: {"mean": 0.0, "low": -0.1, "high": 0.1} for metric in level["relative"]}
    document["samples"]["scored"]["levels"]["2"]["relative"]["spearman"] |= {"mean": -0.2, "low": -0.3, "high": -0.1}
    page = page_of(tmp_path, tiny=document).read_text()
    assert "Below the full model: `scored` by spearman with 2 frozen. Everywhere else the interval" in page


def test_encoders_of_one_depth_stand_side_by_side(tables: dict, tmp_path: Path) -> None:
    page = page_of(tmp_path, one=tables, other=tables)
    assert "## Encoders of 2 layers side by side" in page.read_text()
    assert (page.parent / "figures" / "freeze-2-layers.png").exists()
