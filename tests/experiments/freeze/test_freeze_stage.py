"""A sweep over two samples of different kinds, through the command, the real store and the report."""

import shutil
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from click.testing import CliRunner, Result
from planted_sweeps import level, point, points, table
from sweeps import PARAMS, spec, write_project

from finetune_alf.cli.entry import group
from finetune_alf.data.sample import Split, load_sample
from finetune_alf.errors import DataError
from finetune_alf.experiments.freeze.bench import sweep_sample
from finetune_alf.experiments.freeze.cells import FreezeLine
from finetune_alf.experiments.freeze.document import FreezeDocument
from finetune_alf.experiments.freeze.experiment import FREEZE
from finetune_alf.experiments.freeze.page import freeze_part
from finetune_alf.experiments.freeze.stage import freeze, in_short
from finetune_alf.experiments.registry import load_params
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import plan
from finetune_alf.running.context import Context
from finetune_alf.score_text import score_text
from finetune_alf.tracking.mlflow import MlflowTracker
from small_project import RecordingConsole


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "--root", str(root)])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_project(tmp_path_factory.mktemp("sweep") / "project")
    result = run(root, "run")
    assert result.exit_code == 0, result.output
    return root


@pytest.fixture(scope="module")
def document(done: Path) -> FreezeDocument:
    return FreezeDocument.read(Paths(done).document("freeze", "tiny"))


@pytest.fixture(scope="module")
def cells(done: Path) -> tuple[FreezeLine, ...]:
    return FreezeLine.read_lines(Paths(done).cells("freeze", "tiny"))


def test_each_sample_level_and_seed_has_a_line_and_frozen_layers_are_not_trained(cells: tuple[FreezeLine, ...]) -> None:
    keys = [(cell.sample, cell.n_frozen, cell.seed) for cell in cells]
    seeds = {cell.seed for cell in cells}
    assert len(seeds) == 2
    assert set(keys) == {(s, n, seed) for s in ("cola-like", "scored") for n in (None, 1, 2) for seed in seeds}
    assert len(keys) == len(set(keys))
    trainable = {cell.n_frozen: cell.n_trainable_parameters for cell in cells if cell.sample == "scored"}
    assert trainable[None] > trainable[1] > trainable[2] > 0


def test_the_selected_rate_has_the_best_validation_score_of_the_full_model(
    document: FreezeDocument, cells: tuple[FreezeLine, ...]
) -> None:
    for name, sample in document.samples.items():
        scores = {float(rate): by_seed[0] for rate, by_seed in sample.search.scores.items()}
        assert set(scores) == {1e-3, 3e-3}
        selected = sample.search.rate
        assert selected == min(scores, key=lambda rate: (-scores[rate], rate))
        of_sample = [cell for cell in cells if cell.sample == name]
        assert {cell.rate for cell in of_sample} == {selected}
        assert next(cell for cell in of_sample if cell.n_frozen is None).validation_score == scores[selected]


def test_metrics_are_those_named_or_the_tasks_own_and_without_test_texts_validation_is_scored(
    document: FreezeDocument,
) -> None:
    samples = {name: (table.sample.metrics, table.sample.score_on) for name, table in document.samples.items()}
    assert samples == {
        "cola-like": (("matthews", "accuracy"), "test"),
        "scored": (("pearson", "spearman"), "validation"),
    }


def test_scores_are_the_means_of_the_cells_and_differences_those_from_the_full_model(
    document: FreezeDocument, cells: tuple[FreezeLine, ...]
) -> None:
    for name, sample in document.samples.items():
        for metric in sample.sample.metrics:
            full = sample.levels["none"].scores[metric].mean
            itself = sample.levels["none"].differences[metric]
            assert (itself.mean, itself.low, itself.high, itself.verdict) == (0.0, 0.0, 0.0, None)
            for result in sample.levels.values():
                of_level = [cell for cell in cells if (cell.sample, cell.n_frozen) == (name, result.n_frozen)]
                score = result.scores[metric]
                assert score.by_seed == pytest.approx([cell.scores[metric] for cell in of_level])
                assert score.mean == pytest.approx(fmean(score.by_seed))
                assert score.low <= score.mean <= score.high
                assert result.differences[metric].mean == pytest.approx(score.mean - full)


def test_operating_points_keep_their_fraction(document: FreezeDocument) -> None:
    for sample in document.samples.values():
        for metric, found in sample.operating_points.items():
            full = found.full_model.mean
            means = {r.n_trained: r.scores[metric].mean for name, r in sample.levels.items() if name != "none"}
            for floor, operating_point in ((0.0, found.of_score), (found.majority_baseline, found.of_gain)):
                keeping = [n for n, mean in means.items() if mean - floor >= 0.9 * (full - floor)]
                expected = min(keeping, default=None) if full > floor else None
                assert (operating_point and operating_point.n_trained) == expected
            assert found.gain.mean == pytest.approx(full - found.majority_baseline)
            assert found.head_only == sample.levels["2"].scores[metric]


def test_the_cost_falls_with_the_number_of_frozen_layers(document: FreezeDocument) -> None:
    for sample in document.samples.values():
        flops = [sample.levels[name].flops for name in ("none", "1", "2")]
        assert flops == sorted(flops, reverse=True)
        assert all(result.seconds > 0 and result.memory_bytes > 0 for result in sample.levels.values())
        assert 0 < len(sample.pareto_front) <= 3


def test_the_report_contains_the_sweep_and_its_figures(done: Path) -> None:
    part = freeze_part(Paths(done))
    report = done / "results" / "report"
    assert part.section.markdown in (report / "report.md").read_text("utf-8")
    assert list(part.section.pictures) == [f"tiny-{figure}.png" for figure in ("levels", "differences", "seconds")]
    for name in part.section.pictures:
        assert (report / "figures" / name).stat().st_size > 5000


def test_mlflow_has_one_run_a_fit_also_for_those_of_search_and_sweep(done: Path) -> None:
    tracker = MlflowTracker(done, experiment="finetune_alf.small")
    (parent,) = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.freeze` = 'tiny'")
    assert parent.info.status == "FINISHED"
    nested = tracker.client.search_runs(
        [tracker.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", max_results=100
    )
    assert len(nested) == 2 * (2 + 3 * 2 - 1)
    of_scores = [run for run in nested if run.data.tags["alf.sample"] == "scored"]
    assert all("score/validation.pearson" in run.data.metrics for run in of_scores)
    assert {run.data.tags["alf.frozen"] for run in nested} == {"none", "1", "2"}


def test_a_stopped_sweep_keeps_its_cells_and_repeats_no_fit(
    done: Path, cells: tuple[FreezeLine, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_project(tmp_path / "again")
    for folder in ("data", "mlruns"):
        shutil.copytree(done / folder, root / folder)
    ctx = Context(load_params(root / "params.yaml"), Paths(root))
    path, document = ctx.paths.cells("freeze", "tiny"), ctx.paths.document("freeze", "tiny")
    fitted, real, limit = [], FitRunner.__call__, 7

    def counting(self, job, report):
        if len(fitted) == limit:
            raise KeyboardInterrupt
        fitted.append(job.key)
        return real(self, job, report)

    def results(lines: tuple[FreezeLine, ...]) -> list[tuple]:
        return [(cell.sample, cell.n_frozen, cell.seed, cell.scores) for cell in lines]

    monkeypatch.setattr(FitRunner, "__call__", counting)
    with pytest.raises(KeyboardInterrupt):
        freeze(ctx, "tiny")
    before = FreezeLine.read_lines(path, is_whole=False)
    assert len(before) == 2 + 3  # two of the line search's four fits are cells, three came after it
    assert not document.exists()
    limit = 100
    freeze(ctx, "tiny")
    assert len(fitted) == len(set(fitted)) == 14
    assert results(FreezeLine.read_lines(path)) == results(cells)
    assert all(cell in results(cells) for cell in results(before))


def test_a_finished_sweep_fits_nothing_and_its_bar_shows_validation_scores(
    done: Path, cells: tuple[FreezeLine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FitRunner, "__call__", lambda *given: pytest.fail("nothing is left to fit"))
    console = RecordingConsole()
    freeze(Context(load_params(done / "params.yaml"), Paths(done), console), "tiny")
    assert [note.split(" ", 3)[3] for note in console.notes[-12:]] == [
        f"{score_text(cell.validation_score)} on validation" for cell in cells
    ]
    assert [line.partition(":")[0] for line in console.lines] == ["tiny, cola-like", "tiny, scored"]


@pytest.mark.usefixtures("quick_probes")
def test_the_plan_counts_the_fits_of_the_search_and_reports_their_time(done: Path) -> None:
    stages = plan(Context(load_params(done / "params.yaml"), Paths(done)), FREEZE, "tiny").stages
    assert [stage.stage for stage in stages] == ["cola-like", "scored"]
    for stage in stages:
        assert stage.n_fits == stage.elapsed.n_fits == 3 * 2 + 1  # one of the search's two rates is that of the sweep
        assert stage.elapsed.kinds == {"none": 3, "1": 2, "2": 2}
        assert stage.elapsed_predicted_s == pytest.approx(stage.seconds)
        assert stage.ratio == stage.elapsed.seconds / stage.elapsed_predicted_s


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"[matthews, accuracy]": "[pearson]"}, "freeze.tiny.metrics.cola-like.0"),
        (
            {"    problem_type: regression\n": "", "metrics: {": "metrics: {scored: [f1], "},
            "freeze.tiny.metrics.scored",
        ),
        (
            {"n_validation: 24\n    n_confirmation: 0\n    n_test: 24": "n_validation: 0"},
            "samples.cola-like.n_validation",
        ),
        ({"n_frozen: [1, all]": "n_frozen: [3]"}, "freeze.tiny.n_frozen"),
        ({"freeze:\n  tiny:": "freeze:\n  other:"}, "freeze"),
    ],
    ids=[
        "metric of other labels",
        "sample drawn with other labels",
        "no validation texts",
        "more layers",
        "no such name",
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(done: Path, tmp_path: Path, changes: dict[str, str], key: str) -> None:
    text = PARAMS
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    root = write_project(tmp_path / "wrong", text)
    shutil.copytree(done / "data", root / "data")
    result = run(root, "freeze", "tiny")
    assert result.exit_code == 3
    assert f"{key}: must " in result.stderr
    assert not (root / "studies").exists() or not list((root / "studies").glob("*.jsonl"))


def test_a_sample_without_validation_texts_has_no_rate_to_select(done: Path) -> None:
    sample = load_sample(Paths(done).sample("scored"))
    without = replace(sample, splits={**sample.splits, "validation": Split((), ())})
    with pytest.raises(DataError, match=r"scored: .*validation split"):
        sweep_sample("tiny", spec(samples=["scored"]), without)


@pytest.mark.parametrize(
    ("of_score", "of_gain", "end"),
    [
        (point(2), point(3), "; 90% of the score with 2 of 3 layers trained, 90% of the gain with 3"),
        (point(2), point(None), "; 90% of the score with 2 of 3 layers trained, 90% of the gain with all"),
        (point(0), None, "; 90% of the score with 0 of 3 layers trained, no gain over the majority baseline"),
        (None, None, "; no score above 0, no gain over the majority baseline"),
    ],
)
def test_no_gain_is_not_reported_as_nothing_kept(of_score, of_gain, end: str) -> None:
    sample = table("sst2", [level(None, {"f1": 0.8})], {"f1": points(of_score, of_gain)})
    assert in_short(spec(), sample, 3) == f"f1 .800 with all layers trained{end}"
