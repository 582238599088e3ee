"""The project's id: it keeps projects apart that share an MLflow store."""

import re
import secrets

from finetune_alf.errors import InputError
from finetune_alf.files import write_once
from finetune_alf.params.model import RANDOM_PROJECT
from finetune_alf.paths import NAME_PATTERN, Paths


def project_id(named: str, paths: Paths) -> str:
    """Return the name in params.yaml; for `auto` the random one in the project's folder, made at the first call.

    Raises InputError for a file that holds no name.
    """
    if named != RANDOM_PROJECT:
        return named
    found = write_once(paths.project, f"{secrets.token_hex(4)}\n").strip()
    if not re.fullmatch(NAME_PATTERN, found):
        raise InputError(
            f"{paths.project}: must hold 1 to 64 lower-case letters, digits, - or _, but got {found[:80]!r}. "
            "Name the project in params.yaml, as in `project: reviews`."
        )
    return found
