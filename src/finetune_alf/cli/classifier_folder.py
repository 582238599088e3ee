"""The folder of a saved classifier, as commands name it."""

import re
from pathlib import Path

from finetune_alf.errors import InputError
from finetune_alf.paths import NAME_PATTERN, Paths


def classifier_folder(model: str, paths: Paths) -> Path:
    """Return a folder itself, or that of the classifier of a study, such as `minilm` or `minilm.probe`.

    Raises InputError, with the command that makes it, where it is not there.
    """
    folder = Path(model)
    if folder.is_dir():
        return folder
    study, _, scheme = model.partition(".")
    is_name = re.match(NAME_PATTERN, study) is not None and re.search(r"[/\\]", scheme) is None
    if is_name and paths.model(model).is_dir():
        return paths.model(model)
    words = (scheme, "--study", study) if scheme else (study,)
    way_out = f"Run `{paths.command('fit', *words)}` first, or name" if is_name else "Name"
    raise InputError(f"{model}: there is no such folder of a classifier. {way_out} a folder that `fit` wrote.")
