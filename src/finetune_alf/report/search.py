"""The settings of a study, its best trial, and how far its best score may be trusted."""

from collections import Counter

from finetune_alf.rates import HEAD
from finetune_alf.register.candidates import Candidate
from finetune_alf.register.compare import Reference
from finetune_alf.report.environments import environment_rows
from finetune_alf.report.load import Searched, StudyResults
from finetune_alf.report.numbers import counted, duration, estimate, rate, score, signed
from finetune_alf.report.recipe_words import (
    classes_in_words,
    epochs_in_words,
    kind_in_words,
    rest_in_words,
    tokens_in_words,
)
from finetune_alf.report.section import Section, plain
from finetune_alf.study.documents import StudyDocument
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.space import AnySpace, ChoicesSpace, DecayedSpace, LogSpace


def settings_section(search: Searched) -> Section:
    """Return the table of all that a reader needs to judge or repeat the study."""
    settings, section = search.settings, Section()
    states = Counter(trial.state for trial in search.trials)
    encoder, sample = settings.encoder, settings.sample
    by_state = ", ".join(f"{n} {state}" for state, n in states.items())
    rows = [
        ("encoder", f"`{encoder.name}`: `{encoder.identity}`, {encoder.n_layers} layers"),
        ("sample", f"`{sample.name}`, {_sizes(search)}, digest `{sample.digest[:12]}`"),
        ("space", f"{space_in_words(settings.space)}; head {rate(settings.baseline_rates[HEAD])}"),
        ("sampler", f"{settings.sampler.kind}, {_pruner(settings)}, seed {settings.seed}"),
        ("recipe", _recipe(settings)),
        ("trials", ": ".join(filter(None, (str(len(search.trials)), by_state)))),
        ("time in fits", f"{duration(search.fit_seconds)}, {counted(settings.n_workers, 'worker')}"),
        *environment_rows(settings.environments, "trial"),
    ]
    section.table(("what", "value"), rows, "**Settings**")
    return section


def history_section(results: StudyResults, search: Searched) -> Section:
    """Return the best trial, and a caution about its score."""
    section, metric = Section(), search.settings.metric
    best = search.best
    if best is None or best.score is None:
        section.finding("No trial ended with a score.")
    else:
        section.finding(
            f"The best of {counted(len(search.scored), 'scored trial')} is trial {best.number}: "
            f"**validation {words(metric)} {score(best.score)}**.",
            _ties(search, best),
            _baseline_trial(search),
        )
        section.caution(_caution(results, search, best, best.score) if len(search.scored) > 1 else None)
    section.finding(_failures(search))
    return section


def _ties(search: Searched, best: TrialRecord) -> str | None:
    """Return how many other trials have the best score, which the earliest of them stands for."""
    n = sum(trial.score == best.score for trial in search.scored) - 1
    return f"Of equal scores the earliest counts: {counted(n, 'other trial')} scored the same." if n else None


def confirmed(results: StudyResults, trial: TrialRecord) -> Candidate | Reference | None:
    """Return a trial's confirmation, if its rates were fitted again: as a candidate's, or the references'."""
    lock = results.lock
    if own := next((each for each in (lock.candidates if lock else ()) if each.trial == trial.number), None):
        return own
    references = lock.references.there if lock and lock.references else ()
    return next((each for each in references if each.rates == trial.rates), None)


def words(metric: str) -> str:
    """Return a metric's name as it stands in a sentence."""
    return metric.replace("_", " ")


def _caution(results: StudyResults, search: Searched, trial: TrialRecord, best: float) -> str:
    """Return the caution that the best of many scores is too high, and by how much where that was measured."""
    n_texts = _n_validation(search) if search.settings.metric == "accuracy" and 0 < best < 1 else 0
    error = f" (on {counted(n_texts, 'text')}, about {score((best * (1 - best) / n_texts) ** 0.5)})" if n_texts else ""
    caution = (
        f"**Selection bias.** The highest of {len(search.scored)} scores is high by merit and by luck: each has a "
        f"standard error{error}, and the search keeps the lucky ones."
    )
    again, number = confirmed(results, trial), trial.number
    if again is None and results.lock:
        return (
            f"{caution} Trial {number} was not confirmed on unseen texts: it diverged under a fresh seed, or the "
            "registration did not fit it. Go by the confirmed scores of the others."
        )
    if again is None:
        return f"{caution} Trial {number} was not fitted again on unseen texts; `finetune-alf register` does that."
    return (
        f"{caution} Fitted again over {counted(len(again.scores), 'fresh seed')} and scored on texts that no trial has "
        f"seen, trial {number} reached **{estimate(again)}**, {signed(again.mean - best)} against its search score. "
        "Go by the confirmed score."
    )


def _baseline_trial(search: Searched) -> str | None:
    same = search.baseline_trial
    if same is None:
        return None
    return f"The baseline's own rates, trial {same.number}, scored {score(same.score)} in the same search."


def _failures(search: Searched) -> str | None:
    reasons = Counter(trial.reason for trial in search.trials if trial.reason)
    shown = "; ".join(f"{plain(reason[:200])} ({n} x)" for reason, n in reasons.most_common(3))
    return f"Failed trials: {shown}{'; and others' if len(reasons) > 3 else ''}." if shown else None


def _sizes(search: Searched) -> str:
    """Return texts by split where the study wrote them down, else what its predictions show."""
    if counts := search.settings.sample.counts:
        return " / ".join(f"{sum(by_class.values()):,} {split}" for split, by_class in counts.items()) + " texts"
    n_texts = _n_validation(search)
    return f"{counted(n_texts, 'validation text')}" if n_texts else "sizes not recorded"


def _n_validation(search: Searched) -> int:
    return max((len(trial.result.predictions) for trial in search.trials if trial.result), default=0)


def space_in_words(space: AnySpace) -> str:
    """Return which rates a trial may have, in words."""
    if isinstance(space, DecayedSpace):
        factors = ", ".join(f"{decay:g}" for decay in space.decays)
        return f"the top layer's rate, {_scale(space.rate)}; below it, each times one factor of {factors}"
    if space.blocks == "all":
        return f"one rate for embeddings and layers, {_scale(space)}"
    tied = f", {len(space.blocks)} blocks tied" if space.blocks else ""
    return f"embeddings and each layer: {_scale(space)}{tied}"


def _scale(space: ChoicesSpace | LogSpace) -> str:
    if isinstance(space, ChoicesSpace):
        return f"one of {', '.join(rate(value) for value in space.rates)}"
    return f"from {rate(space.low)} to {rate(space.high)}, uniform in the logarithm"


def _pruner(settings: StudyDocument) -> str:
    return f"{settings.pruner.kind} pruner" if settings.pruner else "no pruner"


def _recipe(settings: StudyDocument) -> str:
    recipe, stopping = settings.recipe, settings.recipe.early_stopping
    parts = [
        f"baseline rate {rate(recipe.rates.highest)} ({recipe.rates.kind})",
        f"batch {recipe.batch}",
        f"at most {epochs_in_words(recipe)}",
        tokens_in_words(recipe),
        *rest_in_words(recipe),
        *classes_in_words(recipe),
        kind_in_words(recipe.optimizer, recipe.optimizer.kind),
        kind_in_words(recipe.curve, f"{recipe.curve.kind} curve"),
        kind_in_words(recipe.unfreezing, f"{recipe.unfreezing.kind} unfreezing"),
        f"{recipe.keep} epoch kept",
        f"early stopping after {counted(stopping.patience, 'epoch')}" if stopping else "no early stopping",
    ]
    return ", ".join(parts)
