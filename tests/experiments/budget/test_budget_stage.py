"""Stage `budget` on the corpus of the package: replicates, what is kept of them, an interrupted one, refused params."""

import shutil
from dataclasses import replace

import pytest
from planted_budgets import document as planted_document
from planted_budgets import lines as planted_lines

from finetune_alf.data.redraw import redraw
from finetune_alf.data.sample import load_sample
from finetune_alf.documents import EncoderIdentity
from finetune_alf.errors import DataError, ParamsError
from finetune_alf.experiments.budget.document import BudgetDocument
from finetune_alf.experiments.budget.experiment import BUDGET
from finetune_alf.experiments.budget.kept import read_replicates
from finetune_alf.experiments.budget.line import unpacked
from finetune_alf.experiments.budget.page import budget_part, in_short
from finetune_alf.experiments.budget.replicates import replicates
from finetune_alf.experiments.budget.stage import budget, summary_of
from finetune_alf.experiments.registry import load_params
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import plan
from finetune_alf.report.numbers import estimate
from finetune_alf.running.context import Context
from finetune_alf.running.prepare import prepare
from finetune_alf.tracking.store import open_store, tracking_uri
from small_project import PARAMS, RecordingConsole

BUDGETS = """
budget:
  small:
    encoder: tiny
    samples: [films]
    space: {kind: choices, rates: [0, 1e-3, 1e-2]}
    recipe:
      rates: {kind: uniform, rate: 1e-2, head: 1e-2}
      allow_forgetting: true
      batch: 8
      epochs: 1
      max_tokens: 16
    n_fits: 4
    n_top: 2
    n_confirm_seeds: 1
    n_test_seeds: 2
    n_permuted: 2
    n_random: 1
    n_train: 16
    n_validation: 24
    n_confirmation: 24
    n_search_test: 10
    n_replicates: 1
"""
N_FITS = 1 + 4 * 4 + (4 * 2 + 1) + 5 * 2 + 2 + 1 + 1


def context(root, **changes):
    root.mkdir(exist_ok=True)
    text = PARAMS.partition("\nstudies:")[0] + BUDGETS
    for old, new in changes.items():
        text = text.replace(old, new)
    (root / "params.yaml").write_text(text)
    return Context(load_params(root / "params.yaml"), Paths(root), RecordingConsole())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A project whose budget has one replicate."""
    ctx = context(tmp_path_factory.mktemp("budget"))
    prepare(ctx, "films")
    budget(ctx, "small")
    return ctx


@pytest.fixture
def project(done, tmp_path):
    """A copy of that project."""
    shutil.copytree(done.paths.root, tmp_path / "copy")
    return tmp_path / "copy"


def kept(ctx):
    return list(read_replicates(ctx.paths.studies / "budget-small.replicates.jsonl").values())


def count_fits(monkeypatch):
    calls, fit = [], FitRunner.__call__
    spied = lambda self, job, report: calls.append(job.key) or fit(self, job, report)  # noqa: E731
    monkeypatch.setattr(FitRunner, "__call__", spied)
    return calls


def test_a_replicate_has_all_arms_and_controls(done):
    lines = kept(done)
    assert [(line.sample, line.index) for line in lines] == [("films", 0)]
    for line in lines:
        assert sorted(line.arms) == ["decayed", "per_layer", "random", "single_rate"]
        for arm in line.arms.values():
            assert len(arm.search.validation) == len(arm.search.test) == 4
            assert arm.candidates[-1].rates == (1e-2, 1e-2, 1e-2)
            assert len(arm.test.scores) == len(arm.test.right) == 2
        assert [len(schedule.test.scores) for schedule in (*line.permuted, *line.random)] == [1, 1, 1]
        assert len(line.probe.scores) == 1
        assert line.n_fits <= N_FITS
        assert sum(share.n_fits for share in line.environments) == line.n_fits


def test_the_parent_run_says_what_was_found(done):
    store = open_store(tracking_uri(done.paths.root))
    experiments = [each.experiment_id for each in store.search_experiments()]
    (run,) = [each for each in store.search_runs(experiments) if each.info.run_name == "budget small"]
    document = BudgetDocument.read(done.paths.document("budget", "small"))
    assert run.data.tags["mlflow.note.content"] == in_short(document)  # one replicate has no intervals


def test_with_intervals_the_description_has_the_score_of_each_arm_and_they_are_metrics():
    compared = planted_document(planted_lines(gain=0.1))
    found = summary_of(compared)
    pooled = compared.compared["per_layer"].pooled
    assert f"| per_layer | {estimate(pooled)} |" in found.note
    assert found.metrics["score/per_layer.low"] == pooled.low
    assert found.note.startswith(in_short(compared))


def test_packed_predictions_have_the_score_of_their_fit(done):
    for line in kept(done):
        for arm in line.arms.values():
            for score, right in zip(arm.test.scores, arm.test.right, strict=True):
                assert unpacked(right, line.n_test).mean() == pytest.approx(score, abs=1e-6)


def test_grids_are_fitted_in_rounds_of_other_seeds(done):
    (first,) = kept(done)
    assert first.arms["single_rate"].search.params == ((1e-3,), (1e-2,), (1e-3,), (1e-2,))


def test_a_replicate_is_drawn_from_the_prepared_sample_and_leaves_nothing_but_its_line(done):
    assert not (done.paths.studies / "budget-small").exists()
    prepared = load_sample(done.paths.sample("films"))
    (first,) = kept(done)
    assert first.drawn != prepared.card.digest
    assert len(prepared.splits["test"].texts) == first.n_test


def test_replicates_are_done_in_rounds_over_the_samples(done):
    """Their seeds and identities differ; a sample's name changes neither."""
    sample, spec = load_sample(done.paths.sample("films")), done.params.budget["small"]
    other = redraw(sample, 16, 16, 16, 1)
    encoder = EncoderIdentity(name="tiny", identity="random:1", n_layers=2)
    named = {"a": replace(sample, name="a"), "b": replace(other, name="b")}
    two = replicates(spec.model_copy(update={"n_replicates": 2}), named, encoder)
    assert [each.key for each in two] == ["a/0", "b/0", "a/1", "b/1"]
    assert len({each.seed for each in two}) == len({each.identity for each in two}) == 4
    (renamed, *_) = replicates(spec, {"films": sample}, encoder)
    assert (renamed.seed, renamed.identity) == (two[0].seed, two[0].identity)


def test_the_document_has_what_follows(done):
    document = BudgetDocument.read(done.paths.document("budget", "small"))
    assert document.is_complete
    assert document.n_fits == {"per_layer": 4, "single_rate": 4, "decayed": 4, "random": 4}
    assert set(document.contrasts) == {"single_rate", "decayed", "permuted"}
    assert document.pilot is None
    assert len(document.curves["per_layer"]) == 4
    assert document.compared["per_layer"].pooled.low is None  # one replicate has no spread
    assert BUDGET.part(done.paths) is not None


def test_finished_replicates_are_not_fitted_again(done, project, monkeypatch):
    before = (project / "results" / "budget" / "small.jsonl").read_bytes()
    calls = count_fits(monkeypatch)
    budget(context(project), "small")
    assert calls == []
    assert (project / "results" / "budget" / "small.jsonl").read_bytes() == before


def test_the_folder_of_kept_replicates_is_read_and_written(done, project, monkeypatch):
    """A budget of another machine goes on where the kept lines end, under any name and analysis."""
    keep = {"n_replicates: 1": "n_replicates: 1\n    keep: docs/results\n    margin: 0.02"}
    (project / "docs" / "results" / "budget").mkdir(parents=True)
    shutil.copy(project / "studies" / "budget-small.replicates.jsonl", project / "docs/results/budget/small.jsonl")
    shutil.rmtree(project / "studies")
    calls = count_fits(monkeypatch)
    budget(context(project, **keep), "small")
    assert calls == []
    assert budget_part(Paths(project, "docs/results")) is not None


def test_kept_replicates_go_by_the_present_name_of_their_sample(project, monkeypatch):
    """The name changes no replicate, and the document, the page and the plan count them under the new one."""
    calls = count_fits(monkeypatch)
    ctx = context(project, **{"\n  films:": "\n  movies:", "[films]": "[movies]"})
    prepare(ctx, "movies")
    budget(ctx, "small")
    assert calls == []
    document = BudgetDocument.read(ctx.paths.document("budget", "small"))
    assert document.is_complete
    assert set(document.compared["per_layer"].by_sample) == {"movies"}
    assert budget_part(ctx.paths) is not None
    (stage,) = plan(ctx, BUDGET, "small").stages
    assert (stage.sample, stage.n_left) == ("movies", 0)


@pytest.mark.long
def test_an_interrupted_replicate_goes_on_with_the_fits_that_it_has(done, project, monkeypatch):
    """Stopped after some fits, the second start does the others, and gives the line of an undisturbed run."""
    more = {"n_replicates: 1": "n_replicates: 2"}
    fit, calls = FitRunner.__call__, []

    def stopping(self, job, report):
        if len(calls) == 10:
            raise KeyboardInterrupt
        calls.append(job.key)
        return fit(self, job, report)

    monkeypatch.setattr(FitRunner, "__call__", stopping)
    with pytest.raises(KeyboardInterrupt):
        budget(context(project, **more), "small")
    monkeypatch.setattr(FitRunner, "__call__", fit)
    (folder,) = (project / "studies" / "budget-small").iterdir()
    assert len((folder / "jobs.jsonl").read_text().split()) > 10
    again = count_fits(monkeypatch)
    ctx = context(project, **more)
    budget(ctx, "small")
    assert not set(calls) & {key for key in again if key.startswith("films/1")}
    assert [(line.sample, line.index) for line in kept(ctx)] == [("films", 0), ("films", 1)]


@pytest.mark.long
def test_a_change_of_the_fits_makes_other_replicates_and_keeps_the_old_ones(done, project):
    ctx = context(project, **{"n_fits: 4": "n_fits: 2"})
    budget(ctx, "small")
    assert [(line.sample, line.index) for line in kept(ctx)] == [("films", 0), ("films", 0)]
    assert BudgetDocument.read(ctx.paths.document("budget", "small")).n_fits["random"] == 2


def test_a_pool_that_is_too_small_is_found_before_any_fit(project, monkeypatch):
    calls = count_fits(monkeypatch)
    with pytest.raises(DataError, match=r"must be at most 96 of sample films"):
        budget(context(project, **{"n_train: 16": "n_train: 60"}), "small")
    assert calls == []


def test_it_is_planned(done):
    """Nothing is left of a finished replicate; one that is not kept is planned at the size of its draw."""
    (finished,) = plan(done, BUDGET, "small").stages
    assert (finished.n_fits, finished.n_left) == (finished.elapsed.n_fits, 0)
    (done.paths.root / "more").mkdir()
    shutil.copytree(done.paths.sample("films"), Paths(done.paths.root / "more").sample("films"))
    planned = plan(context(done.paths.root / "more"), BUDGET, "small")
    (stage,) = planned.stages
    assert (stage.sample, stage.n_fits) == ("films", N_FITS)
    assert stage.seconds > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rates: [0, 1e-3, 1e-2]": "rates: [0, 1e-3]"}, "single rates above 0"),
        ({"n_fits: 4": "n_fits: 1"}, "single rates above 0"),
        ({"1e-2]}": "1e-2], blocks: all}"}, "several rates to search"),
        ({"max_tokens: 16": "max_tokens: 16\n      tasks: {}"}, "samples of one task"),
        ({"samples: [films]": "samples: [film]"}, "must be an entry of samples"),
        ({"n_train: 16": "n_train: 4"}, "must be at most n_train, 4, but got 8"),
        ({"keep": "keep", "n_replicates: 1": "n_replicates: 1\n    keep: ../x"}, "keep"),
    ],
)
def test_params_that_cannot_be_run_are_refused(tmp_path, change, message):
    with pytest.raises(ParamsError, match=message):
        context(tmp_path / "refused", **change)
