"""What the line of a search says about its best score."""

from pathlib import Path

import pytest

from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.sample import Sample, load_sample
from finetune_alf.data.source_spec import MiniSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.running.study import constant_note

SIZES = {"n_train": 32, "n_validation": 40, "n_confirmation": 0, "n_test": 0, "max_train_frac": 0.2}


@pytest.fixture
def films(tmp_path: Path) -> Sample:
    prepare_sample("films", SampleSpec(source=MiniSource(domain="films"), **SIZES), tmp_path / "films")
    return load_sample(tmp_path / "films")


@pytest.mark.parametrize(("metric", "constant"), [("accuracy", ".500"), ("balanced_accuracy", ".500")])
def test_a_search_that_learned_nothing_says_so(films: Sample, metric: str, constant: str) -> None:
    note = constant_note(0.5, metric, films)
    assert note.startswith(f" No trial is better than one prediction for all texts, which has {constant}: ")


@pytest.mark.parametrize("best", [0.525, 1.0, None])
def test_a_better_score_or_none_needs_no_note(films: Sample, best: float | None) -> None:
    assert constant_note(best, "accuracy", films) == ""
