"""Stage `schemes` on the corpus of the package: cells, document, MLflow, an interrupted testbed, refused parameters."""

import shutil
import sys
from contextlib import contextmanager

import pytest

from finetune_alf.cost.speed import Speed
from finetune_alf.cost.work import Work
from finetune_alf.errors import EncoderError, InputError, ParamsError, ScheduleError
from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.schemes.cells import SchemesLine
from finetune_alf.experiments.schemes.document import SchemesDocument
from finetune_alf.experiments.schemes.experiment import SCHEMES
from finetune_alf.experiments.schemes.page import schemes_part
from finetune_alf.experiments.schemes.stage import schemes
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import Predictors, plan
from finetune_alf.planning.planned import ADAPTERS_NOTE
from finetune_alf.rates import ListedRates
from finetune_alf.recipe import Recipe
from finetune_alf.running.context import Context
from finetune_alf.running.parent_run import open_tracker
from finetune_alf.running.prepare import prepare
from finetune_alf.schedules import Provenance, Schedule
from small_project import PARAMS, RecordingConsole

TESTBED = """
schemes:
  bed:
    encoder: tiny
    samples: [sst2-films, travel]
    epochs: {travel: 1}
    adapter_rate: 0.2
    n_seeds: 1
    cells:
      - {scheme: fixed}
      - {scheme: fixed, adapter: {kind: houlsby, width: 4}}
      - {scheme: differential+gradual, curve: slanted_triangular}
      - {scheme: nesterov, adapter: lora}
      - {scheme: mine.json, curve: exponential}
      - {scheme: head}
    recipe:
      rates: {kind: uniform, rate: 0.05}
      optimizer: {kind: sgd}
      batch: 8
      epochs: 2
      max_tokens: 16
"""
SCHEDULE = Schedule(
    name="mine",
    recipe=Recipe(rates=ListedRates(embeddings=0.0, layers=(0.0, 1e-4), head=1e-3), epochs=9, batch=2, max_tokens=9),
    provenance=Provenance(study="s", encoder="e", architecture="bert", n_layers=2, sample_name="films"),
)
SAMPLES = {"sst2-films": 2, "travel": 1}
N_CELLS = 6
PARTS = ("sample", "scheme", "adapter", "curve")


def context(root):
    return Context(load_params(root / "params.yaml"), Paths(root), RecordingConsole())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("testbed")
    params = PARAMS.replace("films", "sst2-films").replace("domain: sst2-films", "domain: films")
    (root / "params.yaml").write_text(params + TESTBED)
    (root / "mine.json").write_text(SCHEDULE.to_json())
    for sample in SAMPLES:
        prepare(context(root), sample)
    return root


@pytest.fixture(scope="module")
def done(prepared, tmp_path_factory):
    root = tmp_path_factory.mktemp("done") / "testbed"
    shutil.copytree(prepared, root)
    ctx = context(root)
    schemes(ctx, "bed")
    return ctx


def cells_of(ctx, *, is_whole=True):
    return SchemesLine.read_lines(ctx.paths.cells("schemes", "bed"), is_whole=is_whole)


def document_of(ctx):
    return SchemesDocument.read(ctx.paths.document("schemes", "bed"))


def test_progress_and_the_highest_score_of_each_sample_are_logged(done):
    assert len(done.console.notes) == 2 * N_CELLS
    assert "travel/head/none/constant seed 1 " in done.console.notes[-1]
    assert [line.partition(": highest ")[0] for line in done.console.lines] == [f"bed, {sample}" for sample in SAMPLES]


def test_every_cell_is_a_line_and_a_row_of_the_tables(done):
    cells, document = cells_of(done), document_of(done)
    rows = [(sample, row) for sample, table in document.samples.items() for row in table.combinations]
    assert [(cell.sample, cell.scheme, cell.adapter, cell.curve) for cell in cells] == [
        (sample, row.scheme, row.adapter, row.curve) for sample, row in rows
    ]
    for cell, (sample, row) in zip(cells, rows, strict=True):
        assert (row.score.mean, row.loss.mean) == (pytest.approx(cell.score), pytest.approx(cell.loss))
        assert len(cell.epochs) == SAMPLES[sample]


def test_the_page_is_made_of_what_the_stage_wrote(done):
    (section, cell) = schemes_part(done.paths).section, cells_of(done)[1]
    (row,) = [line for line in section.markdown.splitlines() if line.endswith("| 0.251 | .900 |")]
    assert f"{cell.score:.3f}".lstrip("0") in row
    assert f"{cell.n_trainable_parameters:,}" in row


def test_the_parameters_of_adapters_and_unfrozen_layers_are_counted_as_trainable(done):
    everything, houlsby, gradual, lora, _, head = (cell.n_trainable_parameters for cell in cells_of(done)[:N_CELLS])
    assert everything == document_of(done).encoder.n_parameters
    assert houlsby - head == 2 * (2 * (4 * 16 + 4 + 16 * 4 + 16) + 2 * 2 * 16)  # layers x (bottlenecks + norms)
    assert lora - head == 2 * 2 * (8 * 16 + 16 * 8)  # layers x (query and value) x (A + B)
    # gradual unfreezing reaches fewer layers in the one epoch of the second sample
    assert cells_of(done)[N_CELLS + 2].n_trainable_parameters < gradual < everything


def test_a_cell_has_its_own_rates_those_of_its_adapters_or_of_its_schedule(done):
    cells = cells_of(done)
    assert cells[3].rates == {"adapter.0": 0.2, "adapter.1": 0.2, "head": 0.05}
    assert cells[4].rates == {"embeddings": 0.0, "layer.0": 0.0, "layer.1": 1e-4, "head": 1e-3}
    assert cells[4].n_steps == 2 * 32 / 8  # batch and epochs are the testbed's, not the schedule's


def test_mlflow_has_a_parent_run_and_a_nested_run_for_each_cell(done):
    tracker = open_tracker(done)
    runs = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.scheme` != ''", max_results=100)
    tags = {tuple(run.data.tags[f"alf.{part}"] for part in PARTS) for run in runs}
    assert tags == {tuple(getattr(cell, part) for part in PARTS) for cell in cells_of(done)}
    lora, _ = (run for run in runs if run.data.tags["alf.adapter"] == "lora")
    rates = {name: value for name, value in lora.data.params.items() if name.startswith("rates.")}
    assert rates == {"rates.adapter.0": "0.2", "rates.adapter.1": "0.2", "rates.head": "0.05"}
    (parent,) = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.schemes` = 'bed'")
    assert parent.data.metrics["score/travel/differential.gradual/none/slanted_triangular"] == cells_of(done)[8].score
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}


class InterruptingConsole(RecordingConsole):
    """A console on which the user presses Ctrl-C after some fits."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    @contextmanager
    def progress(self, label, total):
        yield self

    def advance(self, note="", *, step="", is_new=True):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def epoch(self, step, number, of, seconds):
        return None


def test_an_interrupted_testbed_is_resumed_and_equals_one_that_was_not(done, prepared, tmp_path):
    root = tmp_path / "interrupted"
    shutil.copytree(prepared, root)
    shutil.copytree(done.paths.mlruns, root / "mlruns")  # creating a store takes seconds
    ctx = context(root)
    with pytest.raises(KeyboardInterrupt):
        schemes(Context(ctx.params, ctx.paths, InterruptingConsole(after=3)), "bed")
    assert len(cells_of(ctx, is_whole=False)) == 3  # a line is written as soon as its fit is done
    schemes(ctx, "bed")
    assert ctx.console.new == [False] * 3 + [True] * (2 * N_CELLS - 3)  # the time left is that of new fits
    finished = [line for line in ctx.paths.ledger("schemes-bed").read_text().split("\n") if line]
    assert len(finished) == 2 * N_CELLS  # nothing was fitted twice
    timeless = {"seconds": 0.0, "epochs": ()}
    assert [cell.model_copy(update=timeless) for cell in cells_of(ctx)] == [
        cell.model_copy(update=timeless) for cell in cells_of(done)
    ]


def test_a_finished_testbed_is_planned_with_the_time_that_its_fits_took(done, quick_probes):
    planned = plan(done, SCHEMES, "bed")
    assert [(stage.stage, stage.n_fits, stage.elapsed.n_fits) for stage in planned.stages] == [
        (sample, N_CELLS, N_CELLS) for sample in SAMPLES
    ]
    for stage in planned.stages:
        assert stage.elapsed_predicted_s == pytest.approx(stage.seconds)
        assert stage.ratio == stage.elapsed.seconds / stage.elapsed_predicted_s
    assert ADAPTERS_NOTE in planned.notes


def planted_predictors(ctx):
    planted = Speed(Work(1e-9, 1e-3, 1e-4, 1e-9, 1e-9, 1e-4), fit_s=0.1)
    return Predictors(ctx, speeds=dict.fromkeys(SAMPLES, planted))


def test_some_finished_fits_are_compared_with_the_prediction_for_just_these(done, prepared, tmp_path):
    root = tmp_path / "some"
    shutil.copytree(prepared, root)
    ctx = context(root)
    predictors = planted_predictors(ctx)
    path = ctx.paths.ledger("schemes-bed")
    path.parent.mkdir(exist_ok=True)
    predicted = {}
    for line in done.paths.ledger("schemes-bed").read_text().strip().split("\n")[:N_CELLS]:
        path.write_text(line)
        stage, other = plan(ctx, SCHEMES, "bed", predictors).stages
        assert other.elapsed is None
        predicted |= dict.fromkeys(stage.elapsed.kinds, stage.elapsed_predicted_s)
    assert sum(predicted.values()) == pytest.approx(stage.seconds)
    assert predicted["head/none/constant"] < predicted["fixed/houlsby/constant"]


def with_cells(ctx, *cells):
    spec = ctx.params.schemes["bed"]
    changed = type(spec).model_validate({**spec.model_dump(exclude={"cells", "adapter_rate"}), "cells": cells})
    return Context(ctx.params.model_copy(update={"schemes": {"bed": changed}}), ctx.paths, RecordingConsole())


def test_a_schedule_in_the_registry_is_planned_as_if_every_layer_learned(done, quick_probes):
    fixed, registered = {"scheme": "fixed"}, {"scheme": "alf-tiny@alf-1"}
    predictors = Predictors(done)
    everything = plan(with_cells(done, fixed), SCHEMES, "bed", predictors)
    planned = plan(with_cells(done, registered), SCHEMES, "bed", predictors)
    assert [stage.fit_flops for stage in planned.stages] == [stage.fit_flops for stage in everything.stages]
    assert planned.notes[-1].startswith("alf-tiny@alf-1: planned as if every layer learned")
    with pytest.raises(ScheduleError, match=r"no\.json"):
        plan(with_cells(done, {"scheme": "no.json"}), SCHEMES, "bed", predictors)


def test_a_recipe_that_allows_high_rates_takes_a_schedule_with_such_rates(prepared, tmp_path, monkeypatch):
    root = tmp_path / "high"
    shutil.copytree(prepared, root)
    rates = ListedRates(embeddings=0.0, layers=(0.0, 4e-4), head=1e-3)
    high = SCHEDULE.recipe.model_copy(update={"rates": rates, "allow_forgetting": True})
    (root / "mine.json").write_text(SCHEDULE.model_copy(update={"recipe": high}).to_json())
    fits = SchemesFitter()
    monkeypatch.setattr("finetune_alf.running.fitter.Fitter.fit", fits)
    with pytest.raises(ScheduleError, match="`allow_forgetting: true` in the recipe"):
        schemes(context(root), "bed")
    params = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(params.replace("kind: sgd}", "kind: sgd}\n      allow_forgetting: true"))
    assert len(plan(context(root), SCHEMES, "bed", planted_predictors(context(root))).stages) == len(SAMPLES)
    with pytest.raises(StopIteration):
        schemes(context(root), "bed")
    assert 4e-4 in {cell.recipe.rates.highest for cell in fits.cells}


class SchemesFitter:
    """Keeps the cells that are to be fitted, and fits none."""

    cells = ()

    def __call__(self, cells, kind, path):
        self.cells = cells
        raise StopIteration


def test_an_adapter_that_cannot_be_inserted_fails_before_any_fit(prepared, tmp_path, monkeypatch):
    root = tmp_path / "without"
    shutil.copytree(prepared, root)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(EncoderError, match="PEFT"):
        schemes(context(root), "bed")
    assert not Paths(root).ledger("schemes-bed").exists()


def test_an_unknown_testbed_is_refused_with_the_names_of_those_there_are(prepared):
    with pytest.raises(InputError, match="`bad`, but got bed"):
        schemes(context(prepared), "bad")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "samples: [sst2-films, travel]\n    epochs",
            "samples: [sst2-films, trvel]\n    epochs",
            "bed.samples.1: must",
        ),
        ("encoder: tiny\n    samples", "encoder: tony\n    samples", "schemes.bed.encoder: must be an"),
        ("adapter: lora}", "adapter: loro}", "cells.3.adapter.kind: must be one of .*, but got loro"),
        ("{scheme: head}", "{scheme: head, adapter: lora}", "head/lora/constant: head freezes every layer"),
        ("batch: 8\n      epochs: 2", "batch: 64\n      epochs: 2", "schemes.bed.recipe.batch: must be at most"),
    ],
)
def test_parameters_that_disagree_are_refused_with_their_path(prepared, tmp_path, old, new, message):
    params = (prepared / "params.yaml").read_text()
    assert old in params
    (tmp_path / "params.yaml").write_text(params.replace(old, new))
    with pytest.raises(ParamsError, match=message):
        load_params(tmp_path / "params.yaml")
