"""The study and the folder of the classifier that the words of `errors` name."""

from collections.abc import Sequence
from pathlib import Path

from finetune_alf.cli.classifier_folder import classifier_folder
from finetune_alf.cli.error_record import about
from finetune_alf.errors import InputError
from finetune_alf.params import Params
from finetune_alf.running.context import Context


def named_classifier(ctx: Context, words: Sequence[str], model: str | None = None) -> tuple[str, Path]:
    """Return the study of a classifier, and its folder; `model` is another classifier of the study that is named.

    Words are nothing, a study, a study and a scheme, `study.scheme`, a scheme of the only study, or a folder. Raises
    InputError where that leaves several studies or none, and where there is no such classifier, with those there are.
    """
    word = ".".join(words) or _only_study(ctx.params)
    if word in ctx.params.studies:
        given = "study" if words else None
        with about("--model" if model is not None else given):
            return word, _folder(ctx, model or word)
    if model is not None:
        message = f"--model: must be left out where the classifier is named, but got {model} beside {word}."
        raise InputError(message, option="--model")
    try:
        folder = _folder(ctx, word)
    except InputError as error:
        message = f"{error} Studies are: {', '.join(ctx.params.studies) or 'none'}."
        raise InputError(message, option="study" if len(words) < 2 else "scheme") from None
    study = folder.name.partition(".")[0]
    return (study if study in ctx.params.studies else _only_study(ctx.params)), folder


def _folder(ctx: Context, word: str) -> Path:
    return classifier_folder(word, ctx.paths, ("errors", "{}"))


def _only_study(params: Params) -> str:
    names = list(params.studies)
    if len(names) == 1:
        return names[0]
    several = f"several studies: {', '.join(names)}. Name one of them." if names else "no study. Add one."
    raise InputError(f"params.yaml has {several}")
