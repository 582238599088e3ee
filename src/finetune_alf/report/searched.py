"""The pictures of a search: its trials by score, all rates, and the learning curves of chosen trials."""

from collections.abc import Iterator, Mapping, Sequence, Set

from finetune_alf.documents import Estimate
from finetune_alf.figures.chosen_curves import TrialCurve, chosen_curves
from finetune_alf.figures.search import search_chart
from finetune_alf.figures.search_info import ScorePath, SearchInfo
from finetune_alf.figures.trial_table import TrialRow
from finetune_alf.figures.trials import trials_chart
from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import BASELINE, PLAIN
from finetune_alf.report.load import Searched, StudyResults
from finetune_alf.report.search import words
from finetune_alf.report.view import View
from finetune_alf.stats import wilson_ends
from finetune_alf.study.records import TrialRecord

BEST = "best trial"
"""The name of the best trial's curve."""


def searched_views(results: StudyResults, search: Searched, tested: Mapping[str, Estimate]) -> Iterator[View]:
    """Yield the pictures of a search; `tested` has the scores on test texts of the same sample, by scheme."""
    info = search_info(search.trials, search.settings.metric, search.baseline_trial, results.lock, tested)
    yield View(
        "search",
        "The search",
        _search_in_words(info),
        search_chart(info),
        "Click a trial to pick it, with the shift key several.",
    )
    yield View(
        "trials",
        "Every trial",
        "Learning rate at each address, a row for each trial, the best one first. Grey is frozen.",
        trials_chart(info.trials, info.addresses, info.metric),
        "Click a row to pick its trial; the list below has other orders.",
    )
    if curves := trial_curves(results, search):
        whose = _whose({curve.name for curve in curves if curve.name})
        picks = "Trials that are picked above are drawn, too."
        yield View(
            "score_curves",
            "How chosen trials learned",
            f"The {info.metric} of {whose} by epoch.",
            chosen_curves(curves, "score", info.metric, "score_curves"),
            picks,
        )
        yield View(
            "loss_curves",
            "Their validation loss",
            f"The validation loss of {whose} by epoch. A loss that rises while the score holds is overconfidence.",
            chosen_curves(curves, "loss", "validation loss", "loss_curves"),
            picks,
        )


def search_info(
    trials: Sequence[TrialRecord],
    metric: str,
    same: TrialRecord | None,
    lock: LockDocument | None = None,
    tested: Mapping[str, Estimate] | None = None,
) -> SearchInfo:
    """Return the record of the search chart; `same` is the trial that has the baseline's rates."""
    names = registered_names(same, lock)
    rows = tuple(
        TrialRow(each.number, tuple(each.rates.values()), each.score, each.state, names.get(each.number, ""))
        for each in trials
    )
    low, high = _noise(metric, same)
    return SearchInfo(
        metric=f"validation {words(metric)}",
        addresses=tuple(str(address) for address in trials[0].rates) if trials else (),
        trials=rows,
        baseline=same.score if same else None,
        low=low,
        high=high,
        paths=tuple(_paths(lock, same, tested or {})) if lock else (),
    )


def registered_names(same: TrialRecord | None, lock: LockDocument | None) -> dict[int, str]:
    """Return trial -> the scheme that has its rates: the baseline, and the registered schedules."""
    names = {same.number: BASELINE} if same else {}
    registered = lock.schedules.items() if lock else ()
    return names | {one.trial: alias for alias, one in registered if one.trial is not None}


def trial_curves(results: StudyResults, search: Searched) -> tuple[TrialCurve, ...]:
    """Return the curves of all trials that were fitted; while none of them is registered, the best one is named."""
    names = registered_names(search.baseline_trial, results.lock)
    if not names and search.best:
        names = {search.best.number: BEST}
    return tuple(
        TrialCurve(
            trial.number,
            tuple(epoch.score for epoch in trial.result.epochs),
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


def _search_in_words(info: SearchInfo) -> str:
    """Return what is to be seen: crosses, a band, rings and arrows only where there are some."""
    if info.best is None:
        return "Each cross is a trial, which has no score." if info.trials else "There is no trial."
    crosses = ", crosses have no score" if any(trial.score is None for trial in info.trials) else ""
    rings = (
        " Rings are registered trials; arrows lead from a search score to the confirmed one and on to that on test "
        "texts, with 95 % intervals."
    )
    return (
        f"Each point is a trial{crosses}. {_noise_in_words(info)}The step line is the best so far."
        f"{rings if info.paths else ''}"
    )


def _whose(names: Set[str]) -> str:
    """Return whose curves are shown, by the names of the trials."""
    if names == {BASELINE}:
        return PLAIN
    return "the best trial" if names == {BEST} else "the registered trials"


def _noise_in_words(info: SearchInfo) -> str:
    if info.baseline is None:
        return ""
    if info.low is None:
        return (
            "Dashed: plain fine-tuning. It has no band of chance, since the spread of a single fit over other texts is "
            "estimated for accuracy alone; the confirmed scores have intervals. "
        )
    return (
        "Dashed: plain fine-tuning. The band holds 95 % of the scores that it would have on other texts: higher trials "
        "inside of it may be luck. "
    )


def _noise(metric: str, same: TrialRecord | None) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the baseline's score over other texts, where the score is a share of texts."""
    if metric != "accuracy" or same is None or same.score is None or same.result is None:
        return None, None
    low, high = wilson_ends(same.score, len(same.result.predictions))
    return float(low), float(high)
