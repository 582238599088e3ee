import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import finetune_alf
from finetune_alf.errors import ScheduleError
from finetune_alf.recipe import FORGETTING_BOUND, AdamW, Recipe
from finetune_alf.schedules.published import PUBLISHED_NAMES, PublishedAccuracy, published, published_accuracies
from finetune_alf.schedules.pull import pull

GRID = {0, 2e-10, 2e-9, 2e-8, 2e-7, 2e-6, 2e-5}


def test_the_rates_of_table_4_6_are_as_printed() -> None:
    rates = published("roberta-alf-2").rates
    assert tuple(rates.values()) == (2e-9, 2e-8, 2e-6, 2e-9, 2e-8, 0, 2e-8, 0, 2e-10, 2e-5, 2e-8, 2e-10, 2e-7, 2e-5)


@pytest.mark.parametrize("name", PUBLISHED_NAMES)
def test_each_published_schedule_has_the_thesis_recipe_and_rates_on_its_grid(name: str) -> None:
    schedule = published(name)
    assert schedule.name == name
    assert set(schedule.rates.values()) <= GRID
    assert schedule.rates.n_layers == (6 if name.startswith("distilbert") else 12)
    assert schedule.rates["head"] == 2e-5  # type: ignore[index]
    recipe = schedule.recipe
    assert (recipe.batch, recipe.epochs, recipe.max_tokens, recipe.keep) == (32, 35, 512, "last")
    assert recipe.early_stopping is not None
    assert recipe.optimizer == AdamW()
    assert recipe.rates.highest <= FORGETTING_BOUND
    assert "table 4." in str(schedule.provenance.citation)
    assert schedule.confirmed is None


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ScheduleError, match=r"must be one of distilbert-alf-1, .*roberta-alf-2, but got 'alf-3'"):
        published("alf-3")
    with pytest.raises(ScheduleError, match=r"but got 'distilbert-alf1' \(did you mean distilbert-alf-1\?\)\."):
        pull("distilbert-alf1")


def test_every_accuracy_of_the_thesis_is_included_once() -> None:
    found = {(row.encoder, row.scheme, row.set): row.accuracy for row in published_accuracies()}
    assert len(found) == len(published_accuracies()) == 3 * 4 * 4
    assert found["roberta", "alf-2", "sst2"] == 0.87868
    assert found["bert", "baseline", "imdb"] == 0.8708
    assert found["distilbert", "feature_extraction", "amazon"] == 0.78528


SIZES = (480, 544, 992)


def is_fraction(accuracy: float, n_texts: int) -> bool:
    """Whether the accuracy is a number of these texts, rounded or cut at its last digit."""
    last_digit = 10.0 ** -(len(repr(accuracy)) - len("0."))
    return abs(round(accuracy * n_texts) / n_texts - accuracy) < last_digit


def possible(row: PublishedAccuracy) -> list[int]:
    return [n_texts for n_texts in SIZES if is_fraction(row.accuracy, n_texts)]


def test_every_accuracy_is_a_fraction_of_its_number_of_texts() -> None:
    assert [row for row in published_accuracies() if row.n_texts not in possible(row)] == []


def test_where_several_sizes_are_possible_it_is_that_of_the_other_cells_of_the_column() -> None:
    sure = [row for row in published_accuracies() if len(possible(row)) == 1]
    unsure = [row for row in published_accuracies() if row not in sure]
    assert len(unsure) == 4
    for row in unsure:
        assert row.n_texts in {other.n_texts for other in sure if (other.encoder, other.set) == (row.encoder, row.set)}


def test_the_standard_error_is_that_of_each_accuracy_on_its_own_texts() -> None:
    errors = {(row.encoder, row.scheme, row.set): row.standard_error for row in published_accuracies()}
    assert errors["bert", "feature_extraction", "imdb"] == pytest.approx((0.55208 * 0.44792 / 480) ** 0.5)
    assert max(errors.values()) == pytest.approx(0.0227, abs=5e-5)
    assert min(errors.values()) == pytest.approx(0.0077, abs=5e-5)
    assert sum(error > 0.0175 for error in errors.values()) == 6  # of feature extraction, near a half


@pytest.mark.parametrize("name", PUBLISHED_NAMES)
def test_a_published_schedule_marks_the_fields_that_the_thesis_does_not_give(name: str) -> None:
    schedule = published(name)
    recipe, assumed = schedule.recipe.model_dump(), schedule.provenance.assumed
    assert assumed is not None
    for field in assumed:
        value: Any = recipe
        for part in field.split("."):
            value = value[part]
    given = {"rates", "epochs", "batch", "early_stopping", "unfreezing", "allow_forgetting"}
    neither = set(recipe) - {field.partition(".")[0] for field in assumed} - given
    assert all(recipe[field] == Recipe.model_fields[field].default for field in neither)  # optional, and not used
    assert {"clip", "optimizer", "max_tokens"} < set(assumed)


def test_the_marks_do_not_change_the_digest() -> None:
    schedule = published("bert-alf-1")
    unmarked = schedule.model_copy(update={"provenance": schedule.provenance.model_copy(update={"assumed": None})})
    assert unmarked.digest == schedule.digest


HEAVY = {"torch", "numpy", "mlflow", "transformers", "sqlalchemy"}


def test_published_schedules_need_only_the_core_dependencies() -> None:
    code = f"""
import sys
for name in {HEAVY!r}: sys.modules[name] = None
from finetune_alf.schedules.pull import pull
print(pull("bert-alf-1").rates.n_layers)
try: pull("alf-minilm@alf-1", "sqlite:////nowhere/mlflow.db")
except Exception as error: print(type(error).__name__, error)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(finetune_alf.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    first, second = done.stdout.splitlines()
    assert first == "12"
    assert second.startswith("TrackingError")
    assert 'pip install "finetune-alf[pull]"' in second
