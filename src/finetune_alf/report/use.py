"""What to use now: the line of the summary that says which scheme the evidence recommends, and how to use it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from finetune_alf.comparison import ComparedDifference
from finetune_alf.metric_names import PROBLEM_TYPES, ProblemType
from finetune_alf.rates import HEAD
from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import (
    BASELINE,
    LINEAR,
    PLAIN,
    PRIMARY,
    UNIFORM,
    Recommendation,
    SchemeDifferences,
    recommend,
    still_registered,
)
from finetune_alf.report.numbers import counted, p_in_words, rate, signed_estimate
from finetune_alf.report.recipe_words import (
    classes_in_words,
    course_in_words,
    epochs_in_words,
    kind_in_words,
    rest_in_words,
    tokens_in_words,
)
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.study.documents import StudyDocument

CAN_BE_SAVED: frozenset[ProblemType] = frozenset({"classification", "multi_label"})
"""What `finetune-alf fit` makes a classifier of; a study of several tasks has no metric of these."""


@dataclass(frozen=True)
class Advice:
    """What to use for a study: what is `named`, `why`, what was compared `where`, and `how` to use it.

    `place` is `where` without p.

    Without a `difference` it is open. It is no verdict unless `settled`: `seeds_needed` is what would make it one, and
    `simpler` says in a sentence which linear model is not shown to score lower meanwhile.
    `differences` from plain fine-tuning are that of what was `compared` first, then those of `alf-1` and of the best
    single rate on the same texts, each below what it is called; p are corrected over `n_corrected` schemes.
    """

    named: str
    why: str
    settled: bool = False
    how: str = ""
    snippet: str = ""
    seeds_needed: str = ""
    simpler: str = ""
    compared: str | None = None
    difference: ComparedDifference | None = None
    where: str = ""
    place: str = ""
    differences: Mapping[str, ComparedDifference] = field(default_factory=dict)
    n_corrected: int = 1


def advice(
    name: str,
    lock: LockDocument,
    tested: Mapping[str, SchemeDifferences],
    study: StudyDocument | None,
    saved: str | None = None,
) -> Advice:
    """Return what the evidence recommends for a study, in words.

    `study` has the recipe of plain fine-tuning; None where the study itself is not at hand. `saved` is the scheme of
    the classifier that is saved already: it is not fitted again.
    """
    tested = still_registered(lock, tested)
    found = recommend(lock, tested)
    if found.evidence == "none":
        return Advice(PLAIN, _not_compared(name, lock))
    corrected = [name for name, each in found.differences.items() if name in tested and each.p_holm is not None]
    n_corrected = max(1, len(corrected)) if found.evidence == "test" else 1
    stage = "transfer" if found.evidence == "test" else "register"
    return Advice(
        named=_named(found.scheme, lock),
        why=found.why,
        settled=found.settled,
        how=_how(found, lock, study),
        snippet=_snippet(name, found, lock, saved),
        seeds_needed=f"{MIN_SEEDS} seeds (`{stage}.n_seeds: {MIN_SEEDS}`)",
        simpler="" if found.settled else _simpler(found),
        compared=found.compared,
        difference=found.difference,
        where=f"{_place(found, study)}{_p(found, n_corrected)}",
        place=_place(found, study),
        differences=_differences(found, lock, tested),
        n_corrected=n_corrected,
    )


def use_in_short(
    name: str, lock: LockDocument, tested: Mapping[str, SchemeDifferences], study: StudyDocument | None
) -> str:
    """Return what to use for a study now, why, and the recipe or the line of code for it; `study` as in `advice`."""
    found = advice(name, lock, tested, study)
    if found.difference is None:
        return f"**What to use now for `{name}` is open**: {found.why}"
    if not found.settled:
        open_still = (
            f"For `{name}`, {found.why} for a verdict: {PLAIN} is the simpler choice until {found.seeds_needed} can "
            f"decide. {found.how}"
        )
        return " ".join(filter(None, (open_still, found.simpler)))
    (first, *others) = [
        f"{named} {signed_estimate(each.mean, each.low, each.high)}" for named, each in found.differences.items()
    ]
    beside = f"; there {', '.join(others)}" if others else ""
    evidence = f"{first} against {PLAIN} {found.where}{beside}"
    return f"**For `{name}`, use {found.named}**: {found.why} ({evidence}). {found.how}"


def _not_compared(name: str, lock: LockDocument) -> str:
    if lock.references is None:
        return f"not compared with {PLAIN} yet. Run `finetune-alf register {name}` again: it confirms that too."
    return f"{PLAIN} diverged in its confirmation, so that nothing is compared with it. Lower its rate."


def _named(scheme: str, lock: LockDocument) -> str:
    if scheme == BASELINE:
        return PLAIN
    if scheme == UNIFORM and lock.single_rate:
        return f"one rate for all layers, {rate(lock.single_rate.rate)}"
    return f"`{scheme}`"


def _simpler(found: Recommendation) -> str:
    """Return the cheapest linear model whose interval does not lie below plain fine-tuning, in a sentence."""
    for scheme in LINEAR:
        each = found.differences.get(scheme)
        if each is not None and each.high >= 0:
            shown = signed_estimate(each.mean, each.low, each.high)
            return f"Simpler still is `{scheme}`, which takes seconds: it is not shown to score lower ({shown})."
    return ""


def _place(found: Recommendation, study: StudyDocument | None) -> str:
    """Return where the difference that decides was measured."""
    if found.difference is None:
        return ""
    seeds = counted(found.difference.n_seeds, "seed")
    if found.evidence == "test":
        sample = f"`{study.sample.name}`" if study else "the searched sample"
        return f"on the test texts of {sample}, {seeds}"
    return f"on the confirmation texts, {seeds}, less the luck of the best candidate"


def _p(found: Recommendation, n_tested: int) -> str:
    """Return the p of the difference that decides, and over how many schemes it is corrected."""
    if found.evidence != "test" or found.difference is None or found.difference.p_holm is None:
        return ""
    corrected = f" corrected over {n_tested} schemes" if n_tested > 1 else ""
    return f", {p_in_words(found.difference.p_holm)}{corrected}"


def _differences(
    found: Recommendation, lock: LockDocument, tested: Mapping[str, SchemeDifferences]
) -> dict[str, ComparedDifference]:
    """Return the differences to show, all on the same texts; that of a single rate which is the baseline's own is 0."""
    names = dict.fromkeys((str(found.compared), PRIMARY, *(() if lock.single_rate_is_baseline else (UNIFORM,))))
    there = [name for name in names if name in found.differences]
    return {
        _named(name, lock): found.differences[name] for name in there if (name in tested) == (found.compared in tested)
    }


def _snippet(name: str, found: Recommendation, lock: LockDocument, saved: str | None) -> str:
    """Return lines to copy: a schedule in one's own training loop, else a classifier by the recommended scheme.

    Empty where `fit` saves nothing: where labels are scores, and of several tasks.
    """
    if found.scheme in lock.schedules:
        return (
            "from finetune_alf import Schedule\n\n"
            f'schedule = Schedule.pull("{lock.model}@{found.scheme}", "sqlite:///mlruns/mlflow.db")\n'
            "optimizer = schedule.optimizer(model)"
        )
    if not CAN_BE_SAVED & {*PROBLEM_TYPES.get(lock.metric, ())}:
        return ""
    fit = "" if saved == found.scheme else f"finetune-alf fit --study {name}\n"
    return f"{fit}finetune-alf predict {name} texts.csv --out labelled.csv"


def _how(found: Recommendation, lock: LockDocument, study: StudyDocument | None) -> str:
    """Return how to use the scheme: a line of code, or the recipe."""
    if found.scheme in lock.schedules:
        return (
            f'Load it with `schedule = pull("{lock.model}@{found.scheme}")`: the rates are in `schedule.rates`, batch, '
            "epochs and curve in `schedule.recipe`."
        )
    if found.scheme in LINEAR:
        return "It is logistic regression, or ridge regression for scores: no layer is trained."
    if found.scheme not in (BASELINE, UNIFORM) or study is None:
        return "Its recipe is under `recipe` of the study and `schemes` of the transfer in `params.yaml`."
    body = lock.single_rate.rate if found.scheme == UNIFORM and lock.single_rate else None
    return f"Its recipe: {recipe_in_words(study, body)}."


def recipe_in_words(study: StudyDocument, single_rate: float | None = None) -> str:
    """Return the baseline's recipe as a reader types it; `single_rate` replaces the rates of embeddings and layers."""
    recipe, rates = study.recipe, study.baseline_rates
    body = {own for address, own in rates.items() if address != HEAD} if single_rate is None else {single_rate}
    where = "the adapters" if recipe.adapter else "embeddings and layers"
    first = f"rate {rate(body.pop())} for {where}" if len(body) == 1 else "the rates of `baseline` below"
    parts = (
        f"{first}, {rate(rates[HEAD])} for the head, {kind_in_words(recipe.optimizer, recipe.optimizer.kind)}, "
        f"batch {recipe.batch}, {epochs_in_words(recipe)}, {kind_in_words(recipe.curve, f'{recipe.curve.kind} curve')}",
        tokens_in_words(recipe),
        *rest_in_words(recipe),
        *classes_in_words(recipe),
        *course_in_words(recipe),
    )
    return ", ".join(parts)
