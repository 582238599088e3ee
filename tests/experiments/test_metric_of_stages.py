"""Experiments score F1 over the classes of the sample, also where the scored split shows two of three."""

import pytest
from sklearn.metrics import f1_score

from finetune_alf.data.sample import SPLITS, Card, Sample, Split, rows_digest, save_sample
from finetune_alf.experiments.freeze.cells import FreezeLine
from finetune_alf.experiments.freeze.document import FreezeDocument
from finetune_alf.experiments.freeze.stage import freeze
from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.schemes.document import SchemesDocument
from finetune_alf.experiments.schemes.stage import schemes
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.experiments.transfer.stage import transfer
from finetune_alf.json_files import read_json
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context
from small_project import PARAMS, RecordingConsole

RECIPE = "{rates: {kind: uniform, rate: 0.01, head: 0.01}, allow_forgetting: true, batch: 8, epochs: 1, max_tokens: 8}"
EXPERIMENTS = f"""
transfer: {{studies: [tiny], samples: [films], schemes: [baseline], n_seeds: 1}}
freeze:
  one: {{encoder: tiny, samples: [films], metrics: {{films: [f1]}}, n_frozen: [1], rates: [0.01], n_search_seeds: 1,
        n_seeds: 1, recipe: {RECIPE}}}
schemes:
  one: {{encoder: tiny, samples: [films], metric: f1, n_seeds: 1, cells: [{{scheme: fixed}}], recipe: {RECIPE}}}
"""
LABELS = (1, 1, 0, 1, 1, 0, 1, 0)
BINARY, MACRO = 2 * 5 / (5 + 8), 5 / (5 + 8)  # of a prediction of class 1 for all texts: F1 of class 0 is 0


@pytest.fixture(params=[(("bad", "good"), BINARY), (("bad", "good", "mixed"), MACRO)], ids=["binary", "macro"])
def planted(request, root):
    """A project with a sample of which all splits show the classes 0 and 1, and the F1 of its majority class."""
    names, majority = request.param
    splits = {split: Split(tuple(f"{split} text {row}" for row in range(8)), LABELS) for split in SPLITS}
    card = Card(
        name="films",
        source={},
        revision="",
        label_names=names,
        counts={split: {name: LABELS.count(index) for index, name in enumerate(names)} for split in SPLITS},
        drawn_from={},
        n_source_rows=32,
        duplicates_dropped={},
        seed=0,
        digest=rows_digest(names, splits),
    )
    save_sample(Paths(root).sample("films"), Sample("films", card, splits))
    params = PARAMS[: PARAMS.index("transfer:")].replace("    sample: films\n", "    sample: films\n    metric: f1\n")
    (root / "params.yaml").write_text(params + EXPERIMENTS)
    return Context(load_params(root / "params.yaml"), Paths(root), RecordingConsole()), majority


def f1_of(predictions, majority):
    average = "binary" if majority == BINARY else "macro"
    return pytest.approx(f1_score(LABELS, predictions, average=average, zero_division=0.0))


def test_a_transfer(planted):
    ctx, majority = planted
    transfer(ctx, "tiny", "films")
    path = ctx.paths.document("transfer", "tiny", "films")
    document, predicted = TransferDocument.read(path), read_json(path.with_suffix(".predictions.json"))
    (predictions,) = predicted["predictions"]["baseline"].values()
    assert document.sample.majority_baseline == pytest.approx(majority)
    assert document.schemes["baseline"].score.mean == f1_of(predictions, majority)


def test_a_freeze_sweep(planted):
    ctx, majority = planted
    freeze(ctx, "one")
    table = FreezeDocument.read(ctx.paths.document("freeze", "one")).samples["films"]
    assert table.operating_points["f1"].majority_baseline == pytest.approx(majority)
    lines = FreezeLine.read_lines(ctx.paths.cells("freeze", "one"))
    scores = {"none" if line.n_frozen is None else str(line.n_frozen): line.scores["f1"] for line in lines}
    assert {name: level.scores["f1"].mean for name, level in table.levels.items()} == pytest.approx(scores)
    ledger = ctx.paths.ledger("freeze-one").read_text()
    assert all(f'"score": {score}' in ledger for score in scores.values())


def test_a_testbed_of_schemes(planted):
    ctx, majority = planted
    schemes(ctx, "one")
    table = SchemesDocument.read(ctx.paths.document("schemes", "one")).samples["films"]
    assert table.sample.majority_baseline == pytest.approx(majority)
    assert f'"score": {table.combinations[0].score.mean}' in ctx.paths.ledger("schemes-one").read_text()
