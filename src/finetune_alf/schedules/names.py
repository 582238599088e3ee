"""The names of registered models and their aliases."""

import re

from finetune_alf.errors import ScheduleError

ALIAS = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
MODEL = re.compile(rf"{ALIAS.pattern}(\.{ALIAS.pattern})?")


def model_name(project: str, study: str) -> str:
    """Return the name of a study's registered model; neither name has a dot, so the two can be separated."""
    return f"alf-{project}.{study}"


def check_names(model: str, alias: str | None = None) -> None:
    """Raise ScheduleError for a name that could be read as a path, before any file or server is accessed."""
    for kind, name, pattern in (("model", model, MODEL), ("alias", alias, ALIAS)):
        if name is not None and not pattern.fullmatch(name):
            dot = ", with one dot between two of these" if kind == "model" else ""
            raise ScheduleError(
                f"{kind}: must be 1 to 100 lower-case letters, digits, - or _{dot}, but got {name[:80]!r}. "
                "A registered schedule is named model@alias, as in alf-mine.minilm@alf-1."
            )


def register_again(model: str) -> str:
    """Return the sentence that says how a study's schedules are registered again."""
    study = model.removeprefix("alf-").rpartition(".")[2]  # a model of an older version has no project in its name
    return (
        f"Register it again with `finetune-alf register {study}`, or from the results alone with "
        f"`finetune-alf register {study} --from-lock`."
    )
