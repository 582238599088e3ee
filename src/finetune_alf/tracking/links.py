"""Addresses of MLflow's pages on a server."""

from typing import Any
from urllib.parse import quote

from finetune_alf.tracking.store import redacted_uri
from finetune_alf.tracking.views import TRIALS, VIEW_TAG


def server_address(uri: str | None) -> str | None:
    """Return the address of a store's pages, without credentials; None for a store that is no server."""
    return redacted_uri(uri).rstrip("/") if uri and uri.startswith(("http://", "https://")) else None


def runs_link(server: str, experiment: Any) -> str:
    """Return the address of an experiment's runs: by score where it has the view, else as MLflow lists them.

    Without the type of the workflow MLflow shows its pages for language models' traces.
    """
    link = f"{server}/#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning"
    return f"{link}&viewStateShareKey={TRIALS}" if f"{VIEW_TAG}{TRIALS}" in experiment.tags else link


def run_link(server: str, run_id: str) -> str:
    """Return the address of a run."""
    return f"{server}/#/runs/{quote(run_id, safe='')}"


def version_link(server: str, model: str, version: int) -> str:
    """Return the address of a version of a registered model."""
    return f"{server}/#/models/{quote(model, safe='')}/versions/{version}"
