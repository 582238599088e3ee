"""The folder of a saved classifier, as commands name it."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from finetune_alf.classifier.record import RECORD_FILE
from finetune_alf.cli.project import read_params
from finetune_alf.errors import AlfError, InputError
from finetune_alf.nearest import nearest
from finetune_alf.paths import NAME_PATTERN, Paths


def classifier_folder(model: str, paths: Paths, command: Sequence[str]) -> Path:
    """Return a folder itself, or that of the classifier of a study, such as `minilm`, `minilm.probe`, or `probe` alone.

    `command` is what the user gave, with {} for the classifier. Raises InputError where it is not there, with the
    classifiers that are saved, and the commands that take or make one.
    """
    named = [paths.model(model)] if is_saved_name(model) else []
    folders = [folder for folder in (Path(model), *named) if folder.is_dir()]
    if folders:
        return next((folder for folder in folders if (folder / RECORD_FILE).is_file()), folders[0])
    saved = saved_classifiers(paths)
    of_scheme = [name for name in saved if name.partition(".")[2] == model]
    if len(of_scheme) == 1:
        return paths.model(of_scheme[0])
    raise InputError(f"{model}: there is no such classifier. {_way_out(model, paths, saved, of_scheme, command)}")


def saved_classifiers(paths: Paths) -> list[str]:
    """Return the names of all classifiers that `fit` has saved, such as `minilm` and `minilm.probe`."""
    return sorted(file.parent.name for file in paths.model("").glob(f"*/{RECORD_FILE}"))


def is_saved_name(model: str) -> bool:
    """Say whether a word can be the name of a classifier: a study, or a study and a scheme with a dot between them."""
    study, _, scheme = model.partition(".")
    return re.match(NAME_PATTERN, study) is not None and re.search(r"[/\\]", scheme) is None


def _way_out(model: str, paths: Paths, saved: list[str], of_scheme: list[str], command: Sequence[str]) -> str:
    study, _, scheme = model.partition(".")
    can_be_fitted = is_saved_name(model) and _can_be_fitted(study, scheme, paths)
    words = (scheme, "--study", study) if scheme else (study,)
    fit = paths.command("fit", *(words if can_be_fitted else ()))
    if not saved:
        return f"None is saved. Run `{fit}` first, or name a folder that `fit` wrote."
    one = nearest(model, of_scheme or saved)
    takes = paths.command(*(word.replace("{}", one) for word in command))
    otherwise = f", or run `{fit}` first" if can_be_fitted and not of_scheme else ""
    return f"Saved are: {', '.join(saved)}. Take one of them, as in `{takes}`{otherwise}."


def _can_be_fitted(study: str, scheme: str, paths: Paths) -> bool:
    """Return whether the folder has params, a study of this name in them, and a scheme where one is named."""
    with contextlib.suppress(AlfError):
        params = read_params(paths.root)
        if scheme:
            from finetune_alf.experiments.fit.scheme import scheme_named

            scheme_named(params, scheme)
        return study in params.studies
    return False
