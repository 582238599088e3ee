"""The figures of a study as a notebook shows them: those of the page, also of a search that was interrupted."""

from collections.abc import Sequence
from pathlib import Path

from finetune_alf.figures.curves import learning_curves
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.search import search_chart
from finetune_alf.figures.strip import schedule_strip, strip_cells
from finetune_alf.recipe import Recipe
from finetune_alf.register.lock import read_lock
from finetune_alf.report.curves import curve_of
from finetune_alf.report.searched import search_info
from finetune_alf.report.views import importance_view
from finetune_alf.study.documents import LayerImportance
from finetune_alf.study.records import TrialRecord, baseline_trial


def rates_picture(best: TrialRecord, recipe: Recipe, lock: Path) -> Picture:
    """Draw the rates of the baseline, of the best trial, and of the schedules of a lock file that is there."""
    rates = {"baseline": recipe.rates.at(best.rates.n_layers), f"trial {best.number}": best.rates}
    if lock.exists():
        rates |= {alias: one.schedule.rates for alias, one in read_lock(lock).schedules.items()}
    return schedule_strip(strip_cells(rates))


def history_picture(records: Sequence[TrialRecord], recipe: Recipe, metric: str, lock: Path) -> Picture:
    """Draw the score of each trial, the best so far, and what became of the schedules of a lock file that is there."""
    same = baseline_trial(records, recipe.rates.at(records[0].rates.n_layers)) if records else None
    return search_chart(search_info(records, metric, same, read_lock(lock) if lock.exists() else None))


def importance_picture(document: LayerImportance) -> Picture:
    """Draw the importance of each address's rate, as the stage does."""
    return importance_view(document).picture


def curves_picture(records: Sequence[TrialRecord], recipe: Recipe, best: TrialRecord, metric: str) -> Picture:
    """Draw losses and scores of the best trial and of the baseline, where that is a trial, by epoch."""
    shown = {f"trial {best.number}": best}
    baseline = baseline_trial(records, recipe.rates.at(best.rates.n_layers))
    if baseline and baseline.number != best.number:
        shown["baseline"] = baseline
    return learning_curves([curve_of(label, one.result) for label, one in shown.items() if one.result], metric)
