"""A transfer with one scheme of each kind, from params.yaml to the report, through the command line."""

import shutil

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.experiments.transfer.experiment import TRANSFER
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import plan
from finetune_alf.register.lock import read_lock
from finetune_alf.running.context import Context
from finetune_alf.running.parent_run import open_tracker
from small_project import PARAMS

SCHEMES = """
  schemes:
    - feature_extraction
    - baseline
    - alf-1
    - decayed
    - {kind: decayed, factor: 0.5, name: steep}
    - uniform
    - {kind: uniform, rate: 1e-3, name: high}
    - probe
    - {kind: probe, pooling: first, name: probe-first}
    - tfidf
    - {kind: lora, rank: 2}
    - {kind: houlsby, width: 4, rate: 1e-2}
    - {kind: contrastive, n_pairs: 2}
    - {kind: schedule, of: bert-alf-1, stretch: true}
    - mine.json
    - alf-small.tiny@alf-2
"""
LABELS = (
    *(
        "feature_extraction",
        "baseline",
        "alf-1",
        "decayed",
        "steep",
        "uniform",
        "high",
        "probe",
        "probe-first",
        "tfidf",
    ),
    *("lora", "houlsby", "contrastive", "bert-alf-1", "mine", "alf-small.tiny@alf-2"),
)
LINEAR = ("probe", "probe-first", "tfidf")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def root(empty_store, tmp_path_factory):
    pytest.importorskip("peft")
    root = tmp_path_factory.mktemp("schemes") / "project"
    shutil.copytree(empty_store, root)
    text = PARAMS.replace("n_trials: 12", "n_trials: 4").replace("epochs: 4", "epochs: 1")
    text = text.replace("n_top: 2, n_seeds: 2, min_distance: 0.5", "n_top: 2, n_seeds: 1, min_distance: 0.1")
    text = text.replace("samples: [films, travel]\n  schemes: [", f"samples: [travel]{SCHEMES}#")
    (root / "params.yaml").write_text(text)
    for words in ("prepare", "study tiny", "register tiny"):
        run(root, *words.split())
    (root / "mine.json").write_text(read_lock(Paths(root).schedules("tiny")).schedules["alf-1"].schedule.to_json())
    run(root, "transfer")
    return root


def run(root, *words):
    told = CliRunner().invoke(group, [*words, "--root", str(root)])
    assert told.exit_code == 0, told.output
    return told


@pytest.fixture(scope="module")
def ctx(root):
    return Context(load_params(root / "params.yaml"), Paths(root))


def test_each_scheme_is_fitted_under_each_seed_and_scored(ctx):
    cells = TransferLine.read_lines(ctx.paths.cells("transfer", "tiny", "travel"))
    assert [cell.scheme for cell in cells] == [label for label in LABELS for _ in range(2)]
    rates = {cell.scheme: cell.rates for cell in cells}
    assert {scheme for scheme, own in rates.items() if not own} == set(LINEAR)
    assert {*rates["lora"], *rates["houlsby"]} == {"adapter.0", "adapter.1", "head"}
    assert rates["mine"] == rates["alf-1"]
    assert {cell.scheme for cell in cells if not cell.epochs} == set(LINEAR)


def test_the_document_has_them_in_order_with_differences(ctx):
    document = TransferDocument.read(ctx.paths.document("transfer", "tiny", "travel"))
    assert tuple(document.schemes) == LABELS
    assert [label for label, result in document.schemes.items() if result.difference is None] == ["baseline"]
    assert [label for label, result in document.schemes.items() if result.from_single_rate] == ["alf-1"]


def test_runs_have_the_params_of_their_recipe_and_the_scheme_as_a_tag(ctx):
    tracker = open_tracker(ctx)
    found = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.scheme` != ''", max_results=100)
    by_scheme = {run.data.tags["alf.scheme"]: run.data.params for run in found}
    assert set(by_scheme) == set(LABELS)
    assert {"pooling": "first", "kind": "probe", "max_tokens": "16"}.items() <= by_scheme["probe-first"].items()
    assert by_scheme["high"]["rates.layer.1"] == "0.001"
    single_rate = read_lock(ctx.paths.schedules("tiny")).single_rate.rate
    assert by_scheme["uniform"]["rates.layer.1"] == f"{single_rate:g}"
    (parent,) = tracker.client.search_runs([tracker.experiment_id], "attributes.run_name = 'transfer tiny travel'")
    assert {"score/probe", "score/alf-small.tiny.alf-2"} <= parent.data.metrics.keys()


def test_the_same_command_fits_nothing_again_and_the_report_shows_all(root, ctx):
    lines = ctx.paths.ledger("transfer-tiny-travel").read_bytes()
    run(root, "transfer", "tiny", "travel")
    assert ctx.paths.ledger("transfer-tiny-travel").read_bytes() == lines
    run(root, "report")
    page = (ctx.paths.report / "report.md").read_text()
    assert all(f"| `{label}` |" in page for label in LABELS)


def test_a_plan_has_the_fits_of_every_scheme_and_equal_ones_once(ctx, quick_probes):
    (stage,) = plan(ctx, TRANSFER, "tiny").stages
    with_fits = stage.elapsed.kinds.keys()
    assert set(LABELS) - with_fits <= {"mine", "uniform"}  # a copy of alf-1, and a rate that another scheme may have
    assert stage.n_fits == 2 * len(with_fits)
    assert stage.fit_flops > 0
