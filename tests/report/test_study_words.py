"""What the page says of a study follows its space, its trials and its registration."""

from pathlib import Path
from typing import Any

import pytest
from report_tree import GRID, compared_lock, rates_of, trial, write_importance, write_lock, write_study

from fake_comparisons import compared
from finetune_alf.json_files import read_json, read_jsonl, write_json, write_jsonl
from finetune_alf.paths import Paths
from finetune_alf.report.contents import contents_of
from finetune_alf.report.evidence import how_judged
from finetune_alf.report.load import load_results
from finetune_alf.report.page import page

LOG = {"kind": "log", "low": 1e-6, "high": 1e-4, "blocks": None}
LAYERS = ["embeddings", "layer.0", "layer.1", "layer.2"]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    write_study(paths)
    return paths


def text(paths: Paths) -> str:
    return page("Title", contents_of(load_results(paths))).markdown


def change(path: Path, **fields: Any) -> None:
    write_json(path, read_json(path) | fields)


def importance_of(paths: Paths, shares: dict[str, float], blocks: dict[str, list[str]]) -> None:
    """Give the importance these params in place of the addresses."""
    write_importance(paths, p_values=(0.01,) * 4)
    document = read_json(paths.importance("minilm"))
    share, direction = document["evaluators"]["fanova"]["layer.1"], document["direction"]["layer.1"]
    own = {name: share | {"mean": mean} for name, mean in shares.items()}
    evaluators = dict.fromkeys(document["evaluators"], own)
    change(paths.importance("minilm"), evaluators=evaluators, direction=dict.fromkeys(shares, direction), blocks=blocks)


def test_the_importance_of_layerwise_decay_is_that_of_rate_and_factor(paths: Paths) -> None:
    change(paths.study_results("minilm") / "study.json", space={"kind": "decayed", "rate": LOG, "decays": [0.9, 1.0]})
    importance_of(paths, {"rate": 0.6, "decay": 0.4}, {"rate": LAYERS, "decay": LAYERS})
    found = text(paths)
    assert "- Which of `rate` and `decay` matters most in `minilm`, as Optuna's methods estimate it: fanova" in found
    assert "the factor from each layer to the one below. The shares are theirs, and not those of layers." in found
    assert "| `rate` | .600 |" in found
    assert "| `decay` | +.600 | .010 | higher factors score higher |" in found
    assert "*Share of each of the two in the score" in found
    assert "The thesis ranks" not in found
    assert "`decay`, `layer.0`" not in found


def test_one_rate_has_a_direction_and_no_share(paths: Paths) -> None:
    importance_of(paths, {"embeddings": 1.0}, {"embeddings": LAYERS})
    found = text(paths)
    assert "One rate was searched, for embeddings and all layers, so that none can matter more than another." in found
    assert "| `embeddings`, `layer.0`, `layer.1`, `layer.2` | +.600 | .010 | higher rates score higher |" in found
    for words in ("matters most", "evaluators agree", "by fanova", "importance.png", "The thesis ranks"):
        assert words not in found


@pytest.mark.parametrize(
    ("space", "unit"),
    [
        ({"kind": "choices", "rates": list(GRID), "blocks": None}, "grid steps"),
        (LOG, "decades"),
        ({"kind": "decayed", "rate": LOG, "decays": [0.9, 1.0]}, "decades"),
    ],
)
def test_distances_are_in_the_unit_of_the_space(paths: Paths, space: dict[str, Any], unit: str) -> None:
    change(paths.study_results("minilm") / "study.json", space=space)
    write_lock(paths)
    assert f"| distance from `alf-1`, in {unit} |" in text(paths)


def test_a_best_trial_with_the_baselines_rates_has_the_baselines_confirmed_score(paths: Paths) -> None:
    write_lock(paths)
    trials = paths.study_results("minilm") / "trials.jsonl"
    write_jsonl(trials, [trial(0, 1.0), *read_jsonl(trials)[1:]])
    found = text(paths)
    assert (
        "the best, plain fine-tuning, reached a validation accuracy of 1.000, confirmed on fresh seeds and texts at "
        ".740 [.680, .800]." in found
    )
    assert "trial 0 reached **.740 [.680, .800]**, -.260 against its search score. Go by the confirmed score." in found


def test_a_best_trial_that_is_no_candidate_was_not_confirmed(paths: Paths) -> None:
    write_lock(paths)
    trials = paths.study_results("minilm") / "trials.jsonl"
    write_jsonl(trials, [*read_jsonl(trials), trial(6, 0.99, rates=rates_of(5) | {"layer.2": 2e-9})])
    found = text(paths)
    assert "not confirmed itself" in found
    assert (
        "Trial 6 was not confirmed on unseen texts: it diverged under a fresh seed, or the registration did not fit it."
        in found
    )


def test_captions_name_what_there_is(paths: Paths) -> None:
    alone = text(paths)
    assert "Rings are registered" not in alone
    assert "*The validation accuracy of plain fine-tuning by epoch.*" in alone
    trials = paths.study_results("minilm") / "trials.jsonl"
    write_jsonl(trials, [each for each in read_jsonl(trials) if each["number"] in (1, 3)])
    fewer = text(paths)
    assert "*Each point is a trial. The step line is the best so far.*" in fewer
    assert "*The validation accuracy of the best trial by epoch.*" in fewer
    curves = contents_of(load_results(paths)).views["minilm"][2]
    assert curves.picture.text.startswith("validation accuracy by epoch. best trial (trial 3): 0.500,")


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (compared(0.01, p_holm=0.3, verdict="no evidence of a difference"), "The corrected p allow for that, the"),
        (compared(0.01, n_seeds=2, verdict="too few seeds for a verdict"), "The intervals do not allow for that."),
    ],
)
def test_the_luck_of_the_best_is_allowed_for_by_p_that_are_there(paths: Paths, difference, words: str) -> None:
    compared_lock(difference).write(paths.schedules("minilm"))
    assert words in text(paths)


def test_a_recipe_has_all_that_is_not_usual(paths: Paths) -> None:
    write_lock(paths)
    recipe = read_json(paths.study_results("minilm") / "study.json")["recipe"]
    recipe |= {
        "rates": {"kind": "uniform", "rate": 1e-3, "head": 1e-3},
        "optimizer": {"kind": "adamw", "weight_decay": 0.01},
        "curve": {"kind": "linear", "warmup_frac": 0.1},
        "unfreezing": {"kind": "gradual", "every_epochs": 2},
        "early_stopping": {"patience": 1},
        "adapter": {"kind": "lora", "rank": 4},
        "keep": "best",
        "clip": None,
        "frozen_dropout": "off",
        "steps_per_epoch": 10,
    }
    change(paths.study_results("minilm") / "study.json", recipe=recipe)
    found = text(paths)
    shared = "48 tokens, lora adapters (rank 4) in a frozen encoder, gradients not clipped, no dropout in frozen layers"
    assert (
        "Its recipe: rate 1e-3 for the adapters, 1e-3 for the head, adamw (weight_decay 0.01), batch 8, 4 epochs of 10 "
        f"steps, linear curve (warmup_frac 0.1), {shared}, gradual unfreezing (every_epochs 2), early stopping after 1 "
        "epoch, best epoch kept." in found
    )
    assert (
        f"batch 8, at most 4 epochs of 10 steps, {shared}, adamw (weight_decay 0.01), linear curve (warmup_frac 0.1), "
        "gradual unfreezing (every_epochs 2), best epoch kept, early stopping after 1 epoch |" in found
    )


def test_a_study_without_a_score_is_in_the_summary(paths: Paths) -> None:
    trials = paths.study_results("minilm") / "trials.jsonl"
    write_jsonl(trials, [trial(number, None) for number in range(3)])
    found = text(paths)
    assert "- `minilm`: 3 trials, none with a score." in found
    assert "*Each cross is a trial, which has no score.*" in found
    write_jsonl(trials, [])
    found = text(paths)
    assert "- `minilm`: 0 trials, none with a score." in found
    assert "| trials | 0 |" in found


def test_the_best_of_equal_scores_and_a_single_one_are_no_best_of_many(paths: Paths) -> None:
    trials = paths.study_results("minilm") / "trials.jsonl"
    write_jsonl(trials, [trial(number, 0.5) for number in range(3)])
    assert "**validation accuracy .500**. Of equal scores the earliest counts: 2 other trials scored the same." in text(
        paths
    )
    write_jsonl(trials, [trial(0, 0.5)])
    alone = text(paths)
    assert "The best of 1 scored trial is trial 0: **validation accuracy .500**." in alone
    assert "Selection bias" not in alone
    assert "scored the same" not in alone


def test_comparisons_of_too_few_seeds_are_not_said_to_be_corrected() -> None:
    few = ["too few seeds for a verdict"] * 2
    assert how_judged("each trial against the baseline", few) == (
        "Verdicts: each trial against the baseline, declared beforehand. There is none: no comparison has the seeds "
        "that one needs. With several seeds, interval and p come from the same t over seeds and texts."
    )
    alone = how_judged("each trial against the baseline", [*few, "better"])
    assert 'These comparisons were declared beforehand. "Better" and "worse" need a p below .05.' in alone
    assert "need a corrected p below .05" in how_judged("each trial against the baseline", ["worse", "better"])
