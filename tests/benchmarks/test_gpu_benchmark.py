"""The GPU benchmark: its dry run on a CPU, the rungs of its ladder, and its table."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import gpu  # noqa: E402
from gpu_ladder import FIRST_RUNG, TECHNIQUES, rungs  # noqa: E402
from gpu_table import table  # noqa: E402
from gpu_timing import Measurement, measure  # noqa: E402
from gpu_work import WORKS, texts_like  # noqa: E402
from token_lengths import FILE, MAX_TOKENS, SETS, lengths_like  # noqa: E402

from finetune_alf.train.forward.pack import GROUP_COST  # noqa: E402


@pytest.mark.long
def test_the_dry_run_measures_every_line_and_all_checks_hold(tmp_path):
    command = [sys.executable, "benchmarks/gpu.py", "--device", "cpu", "--tiny", "--json", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads((tmp_path / "gpu.json").read_text())
    assert len(document["lines"]) == 2 * (2 + len(TECHNIQUES) + 1) + len(gpu.MEMBERS)
    assert {line["problem"] for line in document["lines"]} == {None}
    assert all(line["fit_s"] > 0 and line["loss"] < 1 for line in document["lines"])
    checks = document["study"]["checks"]
    assert len(checks) == 6
    assert all(holds for name, holds in checks.items() if name != "the best trial learns")  # in five seconds it may not
    assert done.stdout == table(document)


def test_each_rung_has_one_technique_more_and_the_last_has_all():
    found = list(rungs())
    assert found[0] == (FIRST_RUNG, list(TECHNIQUES))
    assert found[-1][1] == []
    assert [set(one) - set(other) for (_, one), (_, other) in itertools.pairwise(found)] == [
        {name} for name in TECHNIQUES
    ]


@pytest.mark.parametrize("name", TECHNIQUES)
def test_what_a_technique_is_taken_away_by_is_there(name):
    """A patch of a name that is gone raises an error."""
    before = dict(GROUP_COST)
    with TECHNIQUES[name]("cuda"):
        assert (before != GROUP_COST) == (name == "few attention groups")
    assert before == GROUP_COST


def test_the_shipped_counts_are_those_of_whole_sets_and_lengths_are_drawn_from_them():
    document = json.loads(FILE.read_text())
    assert document.keys() == SETS.keys()
    assert {name: sum(own["counts"]) for name, own in document.items()} == {
        "imdb": 4000,
        "sst2": 67349,
        "yelp": 1707,
        "amazon": 6398,
    }
    for name, own in document.items():
        assert len(own["counts"]) <= MAX_TOKENS + 1
        drawn = lengths_like(name, 2000, seed=1)
        assert all(own["counts"][length] for length in drawn)
        assert drawn == lengths_like(name, 2000, seed=1) != lengths_like(name, 2000, seed=2)
        mean = sum(length * n for length, n in enumerate(own["counts"])) / sum(own["counts"])
        assert sum(drawn) / len(drawn) == pytest.approx(mean, rel=0.1)


def test_texts_have_both_classes_and_words_that_tell_them():
    texts = texts_like("imdb", 40, seed=1)
    assert set(texts.labels) == {0, 1}
    telling = [
        word - 1000 == label for ids, label in zip(texts.ids, texts.labels, strict=True) for word in ids if word < 1002
    ]
    assert sum(telling) / len(telling) == pytest.approx(0.75, abs=0.05)


def test_what_a_run_raises_is_the_problem_of_its_line():
    def run():
        raise RuntimeError("no kernel\nmore")

    line = measure(Measurement("ladder", "tiny", "sst2", "a rung"), run, "cpu")
    assert (line.problem, line.fit_s) == ("RuntimeError: no kernel", None)


def test_the_median_run_counts_and_is_divided_by_the_fits_of_a_lockstep():
    line = Measurement("lockstep", "tiny", "sst2", "K = 4", n_fits=4, seconds=[4.0, 2.0, 40.0])
    assert line.fit_s == 1.0


def test_the_table_compares_with_trainer_and_says_what_has_no_numbers():
    numbers, measured = {"n_texts": 100, "flops": 2e12, "loss": 0.5}, {"busy_frac": 0.7, "peak_gib": 3.2}
    lines = [
        Measurement("trainer", "bert-base", "imdb", "Trainer as it comes", seconds=[4.0], **numbers),
        Measurement("trainer", "bert-base", "imdb", "Trainer, tuned", "bf16", seconds=[2.0], **numbers),
        Measurement("ladder", "bert-base", "imdb", "+ all", "bf16", seconds=[1.0], **measured, **numbers),
        Measurement("ladder", "bert-base", "sst2", "+ all", "bf16", seconds=[1.0], **numbers),
        Measurement("lockstep", "bert-base", "sst2", "K = 16", "bf16", problem="no time"),
    ]
    rates = {"fp32": 1e13, "bf16": 4e13, "copy": 4e12, "to_device": 5e10}
    machine = {"device": "a GPU", "versions": {"torch": "2"}, **rates}
    study = {"n_trials": 9, "seconds": 180.0, "n_pruned": 2, "n_failed": 0, "best": 0.9, "fits_frac": 0.95}
    document = {"lines": [line.as_json() for line in lines], "machine": machine, "tests": "5 passed", "seconds": 500.0}
    page = table(document | {"study": study | {"checks": {"one": True, "two": False}}})
    assert "| bert-base | imdb | + all, bf16 | 1 | 100 | 4.0x, 2.0x | 5 % | 3.20 | 0.500 |" in page
    assert "| bert-base | sst2 | + all, bf16 | 1 | 100 |  | 5 % |  | 0.500 |" in page
    assert "| bert-base | sst2 | K = 16, bf16 | no time |" in page
    assert "the GPU computes for 70 % of a fit" in page
    assert "* one: yes\n* two: **no**" in page
    assert "Study: skipped, no optuna." in table(document | {"study": {"skipped": "no optuna"}})


def test_every_line_of_a_run_is_another_one():
    lines = [line for line, _ in gpu._cells(["distilbert", "bert-base", "roberta-base"], WORKS, "cuda:0")]
    keys = [(line.encoder, line.texts, line.what) for line in lines]
    assert len(set(keys)) == len(keys) == 3 * 2 * (2 + len(TECHNIQUES) + 1) + 2 * len(gpu.MEMBERS)
