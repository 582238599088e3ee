import os
import subprocess
import sys
from pathlib import Path

import pytest

import finetune_alf
from finetune_alf.errors import ScheduleError
from finetune_alf.recipe import FORGETTING_BOUND, AdamW
from finetune_alf.schedules.published import PUBLISHED_NAMES, published, published_accuracies

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


def test_every_accuracy_of_the_thesis_is_included_once() -> None:
    rows = published_accuracies()
    assert len({(row["encoder"], row["scheme"], row["set"]) for row in rows}) == len(rows) == 3 * 4 * 4
    found = {(row["encoder"], row["scheme"], row["set"]): row["accuracy"] for row in rows}
    assert found["roberta", "alf-2", "sst2"] == 0.87868
    assert found["bert", "baseline", "imdb"] == 0.8708
    assert found["distilbert", "feature_extraction", "amazon"] == 0.78528


def test_every_accuracy_is_a_fraction_of_a_few_hundred_texts() -> None:
    # k/480, k/544 or k/992 to the printed digits: the standard errors follow from these numbers of texts.
    for row in published_accuracies():
        accuracy = float(row["accuracy"])
        assert min(abs(round(accuracy * n) / n - accuracy) for n in (240, 480, 544, 992)) < 1.1e-4, row


HEAVY = {"torch", "mlflow", "transformers", "sqlalchemy"}


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
    assert 'pip install "finetune-alf[pipeline]"' in second
