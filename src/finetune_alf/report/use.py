"""What to use now: the line of the summary that says which scheme the evidence recommends, and how to use it."""

from collections.abc import Mapping

from finetune_alf.rates import HEAD
from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import (
    BASELINE,
    LINEAR,
    PLAIN,
    UNIFORM,
    Recommendation,
    SchemeDifferences,
    recommend,
)
from finetune_alf.report.numbers import counted, rate, signed_estimate
from finetune_alf.report.recipe_words import classes_in_words, tokens_in_words
from finetune_alf.stats import MIN_SEEDS
from finetune_alf.study.documents import StudyDocument


def use_in_short(
    name: str, lock: LockDocument, tested: Mapping[str, SchemeDifferences], study: StudyDocument | None
) -> str:
    """Return what to use for a study now, why, and the recipe or the line of code for it.

    `study` has the recipe of plain fine-tuning; None where the study itself is not at hand.
    """
    found = recommend(lock, tested)
    if found.evidence == "none":
        return f"**What to use now for `{name}` is open**: {_not_compared(name, lock)}"
    how = _how(found, lock, study)
    if not found.settled:
        setting = "transfer.n_seeds" if found.evidence == "test" else "register.n_seeds"
        return (
            f"For `{name}`, {found.why} for a verdict: {PLAIN} is the simpler choice until `{setting}: {MIN_SEEDS}` "
            f"decides. {how}"
        )
    evidence = _evidence(found, len(tested), study)
    return f"**For `{name}`, use {_named(found.scheme, lock)}**: {found.why} ({evidence}). {how}"


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


def _evidence(found: Recommendation, n_tested: int, study: StudyDocument | None) -> str:
    """Return the difference that decides, and where it was measured."""
    difference = found.difference
    if difference is None:
        return "no difference"
    shown = signed_estimate(difference.mean, difference.low, difference.high)
    seeds = counted(difference.n_seeds, "seed")
    if found.evidence == "test":
        corrected = f", p corrected over {n_tested} schemes" if n_tested > 1 else ""
        sample = f"`{study.sample.name}`" if study else "the searched sample"
        where = f"on the test texts of {sample}, {seeds}{corrected}"
    else:
        where = f"on the confirmation texts, {seeds}, less the luck of the best candidate"
    return f"`{found.compared}` {shown} against {PLAIN} {where}"


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
    recipe, rates = study.recipe, study.recipe.rates.at(study.encoder.n_layers)
    body = {own for address, own in rates.items() if address != HEAD} if single_rate is None else {single_rate}
    first = f"rate {rate(body.pop())} for embeddings and layers" if len(body) == 1 else "the rates of `baseline` below"
    parts = (
        f"{first}, {rate(rates[HEAD])} for the head, {recipe.optimizer.kind}, batch {recipe.batch}, "
        f"{counted(recipe.epochs, 'epoch')}, {recipe.curve.kind} curve",
        tokens_in_words(recipe),
        *classes_in_words(recipe),
    )
    return ", ".join(parts)
