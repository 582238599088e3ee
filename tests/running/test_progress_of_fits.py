"""The epochs of running fits reach the bar of their stage, however the fits are run."""

from pathlib import Path

import pytest

from finetune_alf.json_files import read_jsonl
from finetune_alf.running.fitter import fit_in_words
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.study import study
from small_project import small_context


@pytest.mark.parametrize(
    "compute", ["n_workers: 1", pytest.param("n_workers: 2", marks=pytest.mark.long), "n_fused: 2"]
)
def test_each_epoch_of_each_trial_moves_the_bar(root: Path, compute: str) -> None:
    changes = {"n_threads: 1,": f"n_threads: 1, {compute},", "n_trials: 12": "n_trials: 4"}
    ctx = small_context(root, **changes)
    prepare(ctx, "films")
    study(ctx, "tiny")
    trials = read_jsonl(ctx.paths.study_results("tiny") / "trials.jsonl")
    fitted = [str(trial["number"]) for trial in trials if trial["repeats"] is None and trial["result"]]
    assert len(fitted) >= 2
    for trial in fitted:
        assert [number for step, number, of in ctx.console.epochs if (step, of) == (trial, 4)] == [1, 2, 3, 4]
    assert {step for step, *_ in ctx.console.epochs} == set(fitted)


def test_the_best_score_stands_beside_the_bar_of_a_search_alone(root: Path) -> None:
    ctx = small_context(root, **{"n_trials: 12": "n_trials: 3"})
    prepare(ctx, "films")
    study(ctx, "tiny")
    assert {note.partition(" ")[0] for note in ctx.console.notes} == {"best"}
    ctx.console.notes.clear()
    register(ctx, "tiny")
    n_single = ctx.console.totals["single rate tiny"]
    searched, confirmed = ctx.console.notes[:n_single], ctx.console.notes[n_single:]
    assert {note.partition(" ")[0] for note in searched} == {"best"}
    assert confirmed
    assert not [note for note in confirmed if "best" in note]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("baseline/seed-0", "baseline seed 1"),
        ("single-rate-5e-05/seed-9", "single-rate-5e-5 seed 10"),
        ("0.0001/0.95/seed-2", "1e-4/0.95 seed 3"),
        ("films/no-layers/2e-05/seed-0", "films/no-layers/2e-5 seed 1"),
        ("trial-3/seed-1", "trial-3 seed 2"),
        ("later", "later"),
    ],
)
def test_a_bar_counts_seeds_from_1_and_writes_rates_as_everywhere(key: str, words: str) -> None:
    assert fit_in_words(key) == words
