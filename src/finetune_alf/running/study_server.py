"""The server that holds the studies, as params.yaml or the environment names it."""

from collections.abc import Mapping

from finetune_alf.errors import ParamsError
from finetune_alf.params import Params
from finetune_alf.params.checks import UNNAMED_PROJECT
from finetune_alf.params.model import RANDOM_PROJECT
from finetune_alf.study.server import STORE_VARIABLE, StudyServer


def study_server(params: Params, environment: Mapping[str, str]) -> StudyServer | None:
    """Return the server; None where studies are files. ParamsError for a URL of another kind, or without a project."""
    url = environment.get(STORE_VARIABLE) or params.study_store.url
    if not url:
        return None
    if params.project == RANDOM_PROJECT:
        raise ParamsError(f"project: {UNNAMED_PROJECT}.")
    try:
        return StudyServer(url, params.project)
    except ValueError as error:
        raise ParamsError(f"{STORE_VARIABLE}: {error}.") from None
