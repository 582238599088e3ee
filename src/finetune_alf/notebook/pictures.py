"""The figures of a study as a notebook shows them."""

from collections.abc import Sequence
from pathlib import Path

from finetune_alf.figures import importance_bars, learning_curves, optimisation_history, rates_by_layer
from finetune_alf.figures.picture import Picture
from finetune_alf.recipe import Recipe
from finetune_alf.register.lock import read_lock
from finetune_alf.study.documents import LayerImportance
from finetune_alf.study.records import TrialRecord


def rates_picture(best: TrialRecord, recipe: Recipe, lock: Path) -> Picture:
    """Draw the rates of the baseline, of the best trial, and of the schedules of a lock file that is there."""
    rates = {"baseline": recipe.rates.at(best.rates.n_layers), f"trial {best.number}": best.rates}
    if lock.exists():
        rates |= {alias: one.schedule.rates for alias, one in read_lock(lock).schedules.items()}
    return rates_by_layer(rates)


def history_picture(records: Sequence[TrialRecord], metric: str) -> Picture:
    """Draw the score of each trial, and the best so far."""
    return optimisation_history({record.number: record.score for record in records}, metric)


def importance_picture(document: LayerImportance) -> Picture:
    """Draw the importance of each address's rate, as the stage does."""
    return importance_bars(document.as_json()["evaluators"], f"{document.study}-importance")


def curves_picture(records: Sequence[TrialRecord], recipe: Recipe, best: TrialRecord, metric: str) -> Picture:
    """Draw losses and scores of the best trial and of the baseline, where that is a trial, by epoch."""
    baseline = recipe.rates.at(best.rates.n_layers)
    shown = {f"trial {best.number}": best}
    for record in records:
        if record.rates == baseline and record.result and record.number != best.number:
            shown["baseline"] = record
    epochs = [[epoch.model_dump() for epoch in one.result.epochs] for one in shown.values() if one.result]
    return learning_curves(epochs, list(shown), metric)
