"""The pictures of a search: its trials by score, all rates, and the learning curves of chosen trials."""

from collections.abc import Iterator, Mapping

from finetune_alf.documents import Estimate
from finetune_alf.figures.chosen_curves import TrialCurve, chosen_curves
from finetune_alf.figures.search import search_chart
from finetune_alf.figures.search_info import ScorePath, SearchInfo
from finetune_alf.figures.trial_table import TrialRow
from finetune_alf.figures.trials import trials_chart
from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import BASELINE
from finetune_alf.report.load import Searched, StudyResults
from finetune_alf.report.search import words
from finetune_alf.report.view import View
from finetune_alf.stats import wilson_ends
from finetune_alf.study.records import TrialRecord


def searched_views(results: StudyResults, search: Searched, tested: Mapping[str, Estimate]) -> Iterator[View]:
    """Yield the pictures of a search; `tested` has the scores on test texts of the same sample, by scheme."""
    info = search_info(results, search, tested)
    noise = (
        "The band holds 95 % of the scores that it would have on other texts: higher trials inside of it may be luck. "
        if info.low is not None
        else ""
    )
    yield View(
        "search",
        "The search",
        f"Each point is a trial, crosses have no score. Dashed: plain fine-tuning. {noise}The step line is the best so "
        "far. Rings are registered trials; a line leads from a search score to the confirmed one and to that on test "
        "texts, with 95 % intervals. Click a trial to pick it, with the shift key several.",
        search_chart(info),
    )
    yield View(
        "trials",
        "Every trial",
        "Learning rate at each address, a row for each trial. Grey is frozen. Click a row to pick its trial.",
        trials_chart(info.trials, info.addresses, info.metric),
    )
    if curves := trial_curves(results, search):
        picks = "The registered trials, and those that are picked above."
        yield View(
            "score_curves",
            "How chosen trials learned",
            picks,
            chosen_curves(curves, "score", info.metric, "score_curves"),
        )
        yield View(
            "loss_curves",
            "Their validation loss",
            f"{picks} A loss that rises while the score holds is overconfidence.",
            chosen_curves(curves, "loss", "validation loss", "loss_curves"),
        )


def search_info(results: StudyResults, search: Searched, tested: Mapping[str, Estimate]) -> SearchInfo:
    """Return the record of the search chart."""
    names = registered_names(results, search)
    trials = tuple(
        TrialRow(each.number, tuple(each.rates.values()), each.score, each.state, names.get(each.number, ""))
        for each in search.trials
    )
    same = _baseline_trial(search)
    low, high = _noise(search, same)
    return SearchInfo(
        metric=f"validation {words(search.settings.metric)}",
        addresses=tuple(search.trials[0].rates) if search.trials else (),
        trials=trials,
        baseline=same.score if same else None,
        low=low,
        high=high,
        paths=tuple(_paths(results.lock, same, tested)) if results.lock else (),
    )


def registered_names(results: StudyResults, search: Searched) -> dict[int, str]:
    """Return trial -> the scheme that has its rates: the baseline, and the registered schedules."""
    same, lock = _baseline_trial(search), results.lock
    names = {same.number: BASELINE} if same else {}
    registered = lock.schedules.items() if lock else ()
    return names | {one.trial: alias for alias, one in registered if one.trial is not None}


def trial_curves(results: StudyResults, search: Searched) -> tuple[TrialCurve, ...]:
    """Return the curves of all trials that were fitted."""
    names = registered_names(results, search)
    return tuple(
        TrialCurve(
            trial.number,
            # Records of earlier versions have `validation_accuracy` only.
            tuple(
                epoch.validation_accuracy if epoch.validation_score is None else epoch.validation_score
                for epoch in trial.result.epochs
            ),
            tuple(epoch.validation_loss for epoch in trial.result.epochs),
            names.get(trial.number, ""),
        )
        for trial in search.trials
        if trial.result and trial.result.epochs
    )


def _paths(lock: LockDocument, same: TrialRecord | None, tested: Mapping[str, Estimate]) -> Iterator[ScorePath]:
    if lock.references and lock.references.baseline:
        number, score = (same.number, same.score) if same else (None, None)
        yield ScorePath(BASELINE, number, score, lock.references.baseline, tested.get(BASELINE))
    for alias in lock.schedules:
        if found := lock.candidate(alias):
            yield ScorePath(alias, found.trial, found.search_score, found, tested.get(alias))


def _baseline_trial(search: Searched) -> TrialRecord | None:
    baseline = search.settings.recipe.rates.at(search.settings.encoder.n_layers)
    return next((trial for trial in search.scored if trial.rates == baseline), None)


def _noise(search: Searched, same: TrialRecord | None) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the baseline's score over other texts, where the score is a share of texts."""
    if search.settings.metric != "accuracy" or same is None or same.score is None or same.result is None:
        return None, None
    low, high = wilson_ends(same.score, len(same.result.predictions))
    return float(low), float(high)
