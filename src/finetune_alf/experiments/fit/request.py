"""What `finetune-alf fit` fits: the words of its command line as studies and a scheme."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.errors import InputError
from finetune_alf.experiments.fit.scheme import is_scheme, scheme_named
from finetune_alf.experiments.fit.section import SECTION
from finetune_alf.nearest import did_you_mean
from finetune_alf.running.context import Context


@dataclass(frozen=True)
class FitRequest:
    """The studies to fit for, and the scheme; without it each study has its own."""

    studies: tuple[str, ...]
    scheme: str | None = None


def fit_request(ctx: Context, word: str | None, studies: Sequence[str] = ()) -> FitRequest:
    """Return what is to be fitted; `word` is a scheme, or the one study to fit for.

    Without a study it is the only one there is; without a word those that params.yaml names under `fit` come first.
    Raises InputError, with the commands that say it, where that leaves several possibilities, and for unknown names.
    """
    for study in studies:
        ctx.study(study)
    if word is None:
        return FitRequest(tuple(studies) or tuple(SECTION.of(ctx.params)) or _only_study(ctx))
    if word in ctx.params.studies and not studies:
        if is_scheme(ctx.params, word):
            raise InputError(
                f"{word} is the name of a study and of a scheme. Run `{_command(ctx, '--study', word)}` for the study, "
                f"or `{_command(ctx, word, '--study', next(iter(ctx.params.studies)))}` for the scheme."
            )
        return FitRequest((word,))
    try:
        scheme_named(ctx.params, word)
    except InputError as error:
        there, near = ", ".join(ctx.params.studies) or "none", did_you_mean(word, ctx.params.studies)
        raise InputError(f"{error} Studies are: {there}{near}.", option="scheme") from None
    return FitRequest(tuple(studies) or _only_study(ctx, word), word)


def _only_study(ctx: Context, *words: str) -> tuple[str, ...]:
    studies = tuple(ctx.params.studies)
    if len(studies) > 1:
        raise InputError(
            f"There are several studies: {', '.join(studies)}. Name one: "
            f"`{_command(ctx, *words, '--study', studies[0])}`."
        )
    return studies


def _command(ctx: Context, *words: str) -> str:
    return ctx.paths.command("fit", *words)
