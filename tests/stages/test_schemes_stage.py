"""Stage `schemes` from the command line to the page, on the corpus of the package."""

import re
import shutil
import sys

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.errors import EncoderError, InputError
from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.schemes.page import schemes_part
from finetune_alf.experiments.schemes.stage import schemes
from finetune_alf.files import read_json, read_jsonl, write_json
from finetune_alf.paths import Paths
from finetune_alf.rates import ListedRates
from finetune_alf.recipe import Recipe
from finetune_alf.running.context import Context
from finetune_alf.schedules.schedule import Provenance, Schedule
from finetune_alf.tracking.mlflow import MlflowTracker
from small_project import PARAMS, RecordingConsole

BED = """
schemes:
  bed:
    encoder: tiny
    samples: [sst2-films, travel]
    epochs: {travel: 1}
    n_resamples: 200
    adapter_rate: 0.2
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
      precision: fp32
"""
MINE = Schedule(
    name="mine",
    recipe=Recipe(rates=ListedRates(embeddings=0.0, layers=(0.0, 1e-4), head=1e-3), epochs=9, batch=2, max_tokens=9),
    provenance=Provenance(study="s", encoder="e", architecture="bert", n_layers=2, sample_name="films"),
)
SAMPLES = {"sst2-films": 2, "travel": 1}
N_CELLS = 6


def command(root, *words):
    return CliRunner().invoke(group, [*words, "--root", str(root)])


def context(root):
    return Context(load_params(root / "params.yaml"), Paths(root), RecordingConsole())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("bed")
    (root / "params.yaml").write_text(
        PARAMS.replace("films", "sst2-films").replace("domain: sst2-films", "domain: films") + BED
    )
    (root / "mine.json").write_text(MINE.to_json())
    told = command(root, "prepare")
    assert told.exit_code == 0, told.output
    return root


@pytest.fixture(scope="module")
def done(prepared, tmp_path_factory):
    root = tmp_path_factory.mktemp("done") / "bed"
    shutil.copytree(prepared, root)
    told = command(root, "schemes", "bed")
    assert told.exit_code == 0, told.output
    return root, told


def cells_of(root):
    return read_jsonl(Paths(root).schemes("bed").with_suffix(".jsonl"))


def tables_of(root):
    return read_json(Paths(root).schemes("bed"))["samples"]


def test_the_command_tells_its_progress_and_each_samples_highest(done):
    _, told = done
    assert all(f"bed, {sample}: highest " in told.output for sample in SAMPLES)
    assert f"schemes bed: {2 * N_CELLS}/{2 * N_CELLS} travel/head/none/constant/seed-0 0." in told.output


def test_every_cell_is_a_line_and_the_table_is_made_of_them(done):
    root, _ = done
    cells = cells_of(root)
    assert [cell["sample"] for cell in cells] == [sample for sample in SAMPLES for _ in range(N_CELLS)]
    rows = [(sample, row) for sample, told in tables_of(root).items() for row in told["combinations"]]
    for cell, (sample, row) in zip(cells, rows, strict=True):
        assert (cell["sample"], cell["scheme"], cell["adapter"], cell["curve"]) == (
            sample,
            row["scheme"],
            row["adapter"],
            row["curve"],
        )
        assert row["score"]["mean"] == pytest.approx(cell["score"])
        assert row["loss"]["mean"] == pytest.approx(cell["loss"])
        assert len(cell["epochs"]) == SAMPLES[sample]


def test_what_is_trained_is_told(done):
    root, _ = done
    everything, houlsby, _, lora, _, head = (cell["n_trainable_parameters"] for cell in cells_of(root)[:N_CELLS])
    assert everything == read_json(Paths(root).schemes("bed"))["encoder"]["n_parameters"]
    assert houlsby - head == 2 * (2 * (4 * 16 + 4 + 16 * 4 + 16) + 2 * 2 * 16)  # layers x (bottlenecks + norms)
    assert lora - head == 2 * 2 * (8 * 16 + 16 * 8)  # layers x (query and value) x (A + B)


def test_layers_that_gradual_unfreezing_never_gets_to_do_not_count_as_trained(done):
    root, _ = done
    everything, _, gradual, *_ = (cell["n_trainable_parameters"] for cell in cells_of(root)[:N_CELLS])
    _, _, shorter, *_ = (cell["n_trainable_parameters"] for cell in cells_of(root)[N_CELLS:])
    assert shorter < gradual < everything


def test_an_adapted_cell_shows_the_rates_of_its_adapters(done):
    root, _ = done
    lora = cells_of(root)[3]
    assert lora["rates"] == {"adapter.0": 0.2, "adapter.1": 0.2, "head": 0.05}


def test_a_schedules_file_is_taken_from_the_root_with_its_rates_and_none_of_its_sizes(done):
    root, _ = done
    cell = cells_of(root)[4]
    assert cell["rates"] == {"embeddings": 0.0, "layer.0": 0.0, "layer.1": 1e-4, "head": 1e-3}
    assert cell["n_steps"] == 2 * 32 / 8


def test_mlflow_has_a_parent_and_a_run_a_cell_with_its_three_parts_as_tags(done):
    root, _ = done
    tracker = MlflowTracker(root)
    found = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.scheme` != ''", max_results=100)
    named = {tuple(run.data.tags[f"alf.{part}"] for part in ("sample", "scheme", "adapter", "curve")) for run in found}
    assert named == {tuple(cell[part] for part in ("sample", "scheme", "adapter", "curve")) for cell in cells_of(root)}
    (lora, _) = (run for run in found if run.data.tags["alf.adapter"] == "lora")
    told = {name: value for name, value in lora.data.params.items() if name.startswith("rates.")}
    assert told == {"rates.adapter.0": "0.2", "rates.adapter.1": "0.2", "rates.head": "0.05"}
    (parent,) = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.schemes` = 'bed'")
    assert parent.data.metrics["travel/differential.gradual/none/slanted_triangular"] == cells_of(root)[8]["score"]
    assert {run.data.tags["mlflow.parentRunId"] for run in found} == {parent.info.run_id}


def test_the_page_shows_every_row_with_what_was_published_beside_it(done):
    root, _ = done
    told = command(root, "report")
    assert told.exit_code == 0, told.output
    page = (Paths(root).report / "report.md").read_text()
    assert "## Schemes `bed`" in page
    assert (Paths(root).report / "figures" / "bed-schemes.png").read_bytes().startswith(b"\x89PNG")
    sst2, travel = page.split("**`travel`**")
    (row,) = [line for line in sst2.splitlines() if line.startswith("| `fixed` | houlsby | constant ")]
    assert row.endswith("| 0.251 | .900 |")  # the survey's table 1
    assert f"{cells_of(root)[1]['score']:.3f}".lstrip("0") in row
    assert f"{cells_of(root)[1]['n_trainable_parameters']:,}" in row
    assert "published" not in travel.split("Published:")[0]
    assert "With one seed nothing is known" in page
    assert "| adapters | houlsby, width 4, activation gelu; lora, rank 8, alpha 16 |" in page
    assert "| curves | constant; slanted triangular, cut frac 0.1, ratio 32; exponential, decay 0.9 |" in page
    assert "fits ran at a time" not in page


def test_the_page_tells_what_flatters_a_score_and_stretches_a_time(done, tmp_path):
    told = read_json(Paths(done[0]).schemes("bed"))
    told |= {"metric": "spearman", "n_at_once": 2, "recipe": told["recipe"] | {"keep": "best"}}
    for table in told["samples"].values():
        for row in table["combinations"]:
            row["difference"] = None
    write_json(Paths(tmp_path).schemes("bed"), told)
    page = schemes_part(Paths(tmp_path)).section.markdown
    assert "2 fits ran at a time, which stretches their seconds." in page
    assert "best epoch was chosen by the split that scores it" in page
    assert "naming the mean score every time" in page
    assert "Differences are from" not in page


def test_the_page_names_what_is_not_shown_to_beat_one_answer(done, tmp_path):
    told = read_json(Paths(done[0]).schemes("bed"))
    sst2, travel = told["samples"].values()
    for row in [*sst2["combinations"], *travel["combinations"]]:
        row["score"] = {"mean": 0.7, "low": 0.6, "high": 0.8}
    sst2["sample"]["majority"], travel["sample"]["majority"] = 0.5, 0.65
    sst2["combinations"][0]["score"]["low"] = 0.4
    write_json(Paths(tmp_path).schemes("bed"), told)
    page = schemes_part(Paths(tmp_path)).section.markdown
    assert "every time: on `sst2-films` `fixed` (none, constant); on `travel` all of them." in page


def test_a_testbed_that_was_stopped_goes_on_and_ends_as_one_that_was_not(done, prepared, tmp_path):
    root = tmp_path / "stopped"
    shutil.copytree(prepared, root)
    shutil.copytree(done[0] / "mlruns", root / "mlruns")  # a ready store takes seconds less
    ctx = context(root)
    ctx.console.bar = lambda label, total: Stopper(after=3)
    with pytest.raises(KeyboardInterrupt):
        schemes(ctx, "bed")
    assert len(cells_of(root)) == 3  # each line was there as soon as its fit was done
    schemes(context(root), "bed")
    lines = Paths(root).ledger("schemes-bed").read_text().split("\n")
    assert len([line for line in lines if line]) == 2 * N_CELLS  # nothing was fitted twice
    timeless = {"seconds", "epochs"}
    whole, again = (
        [{k: v for k, v in cell.items() if k not in timeless} for cell in cells_of(r)] for r in (done[0], root)
    )
    assert again == whole


class Stopper:
    """A bar on which the user presses Ctrl-C."""

    def __init__(self, after):
        self.left = after

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def advance(self, note=""):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_an_adapter_that_cannot_be_built_is_told_before_any_fit(prepared, tmp_path, monkeypatch):
    root = tmp_path / "without"
    shutil.copytree(prepared, root)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(EncoderError, match="lora needs PEFT"):
        schemes(context(root), "bed")
    assert not Paths(root).ledger("schemes-bed").exists()


def test_an_unknown_testbed_is_answered_with_those_there_are(prepared):
    with pytest.raises(InputError, match="schemes: must have an entry `bad`, but got bed"):
        schemes(context(prepared), "bad")


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        (
            "samples: [sst2-films, travel]",
            "samples: [sst2-films, trvel]",
            "schemes.bed.samples.1: must be an entry of samples",
        ),
        (
            "    encoder: tiny\n    samples: [sst2",
            "    encoder: tony\n    samples: [sst2",
            "schemes.bed.encoder: must be an",
        ),
        ("adapter: lora}", "adapter: loro}", r"cells.3.adapter.kind: must be one of .*, but got loro"),
        (
            "{scheme: head}",
            "{scheme: head, adapter: lora}",
            "head/lora/constant does not: head leaves every layer frozen",
        ),
        (
            "      batch: 8\n      epochs: 2",
            "      batch: 64\n      epochs: 2",
            "schemes.bed.recipe.batch: must be at most",
        ),
    ],
)
def test_checking_the_parameters_names_what_cannot_be(prepared, tmp_path, was, now, said):
    text = (prepared / "params.yaml").read_text()
    assert was in text
    (tmp_path / "params.yaml").write_text(text.replace(was, now))
    told = command(tmp_path, "params", "check")
    assert told.exit_code == 3
    assert re.search(said, told.output), told.output
