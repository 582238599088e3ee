"""Models in MLflow: a folder logged as a model of a run and registered as a version, once for each digest.

A model is data alone: MLflow loads it through a module that is installed, so that nothing in it is pickled or executed.
"""

import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.registered import all_pages, create_registered_model, versions_of
from finetune_alf.tracking.store import mlflow_uri, tracking_errors

MODEL_DIGEST_TAG = "alf.model"
"""The tag with a model's digest, on the model and on its versions; those of schedules have another one."""

DATA = "model"
"""The name of the folder among the files of the model."""

_MODEL_FILE = "MLmodel"
_VERSIONS_TAG = "mlflow.modelVersions"  # MLflow's page of a model shows the versions that this tag names


@dataclass(frozen=True)
class FolderModel:
    """A folder as a model: `loader` is the module whose `_load_pyfunc` reads it.

    `outputs` maps its columns to MLflow's types; its `n_inputs` columns of text have no names, so that any table and
    any list will do. `example` is an input, `metrics` are the model's scores, and `requires` what pip must install.
    """

    folder: Path
    digest: str
    loader: str
    n_inputs: int
    outputs: Mapping[str, str]
    example: Sequence[object]
    requires: Sequence[str]
    config: Mapping[str, str]
    metrics: Mapping[str, float]


def register_model(
    tracker: MlflowTracker,
    run_id: str,
    name: str,
    alias: str,
    model: FolderModel,
    tags: Mapping[str, str],
    description: str,
) -> int:
    """Register a model of a run as a version of `name` under an alias, and return the version's number.

    `description` is that of the version, in Markdown.

    A version with the same digest whose files are there is reused, and so is a model that was logged whole without
    being registered: an interrupted call leaves nothing twice. Raises TrackingError when the store fails.
    """
    client = tracker.client
    with tracking_errors(tracker.uri):
        version = _find_version(tracker, name, model.digest) or _new_version(tracker, run_id, name, model)
        number = str(version.version)
        for key, value in tags.items():
            client.set_model_version_tag(name, number, key, value)
        client.update_model_version(name, number, description)
        client.set_registered_model_alias(name, alias, number)
    return int(number)


def _new_version(tracker: MlflowTracker, run_id: str, name: str, model: FolderModel) -> Any:
    client = tracker.client
    create_registered_model(client, name, "A classifier; created by finetune_alf.")
    logged = _find_logged(tracker, model.digest) or _log(tracker, run_id, model)
    # Of the source `models:/<id>` MLflow would ask its active store, which may be another one.
    version = client.create_model_version(
        name,
        logged.artifact_location,
        run_id,
        tags={MODEL_DIGEST_TAG: model.digest},
        model_id=logged.model_id,
    )
    shown = [*json.loads(logged.tags.get(_VERSIONS_TAG, "[]")), {"name": name, "version": int(version.version)}]
    client.set_logged_model_tags(logged.model_id, {_VERSIONS_TAG: json.dumps(shown)})
    return version


def _find_version(tracker: MlflowTracker, name: str, digest: str) -> Any:
    """Return the oldest version with this digest whose files are there."""
    found = [each for each in versions_of(tracker.client, name) if each.tags.get(MODEL_DIGEST_TAG) == digest]
    for version in sorted(found, key=lambda version: int(version.version)):
        source = tracker.client.get_model_version_download_uri(name, version.version)
        if _has_files(tracker, source):
            return version
    return None


def _find_logged(tracker: MlflowTracker, digest: str) -> Any:
    """Return the logged model with this digest whose files are there; those whose upload was cut short are deleted."""
    of_digest = f"tags.`{MODEL_DIGEST_TAG}` = '{digest}'"
    found = list(
        all_pages(
            lambda **page: tracker.client.search_logged_models([tracker.experiment_id], filter_string=of_digest, **page)
        )
    )
    whole = None
    for logged in found:
        if logged.status == "READY" and _has_files(tracker, logged.artifact_location):
            whole = whole or logged
        elif logged.status != "READY":
            tracker.client.delete_logged_model(logged.model_id)
    return whole


def _has_files(tracker: MlflowTracker, source: str) -> bool:
    from mlflow.artifacts import list_artifacts

    names = {Path(item.path).name for item in list_artifacts(source, tracking_uri=mlflow_uri(tracker.uri))}
    return _MODEL_FILE in names


def _log(tracker: MlflowTracker, run_id: str, model: FolderModel) -> Any:
    """Log a model of a run; its status is written last."""
    from mlflow.entities import LoggedModelOutput

    client = tracker.client
    logged = client.create_logged_model(
        tracker.experiment_id, name=DATA, source_run_id=run_id, tags={MODEL_DIGEST_TAG: model.digest}
    )
    with tempfile.TemporaryDirectory() as temporary:
        files = Path(temporary) / "files"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own, as it imports its models of other kinds
            _save(files, model, logged.model_id, run_id)
        client.log_model_artifacts(logged.model_id, str(files))
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    for name, value in model.metrics.items():
        client.log_metric(run_id, name, value, model_id=logged.model_id)
    return client.finalize_logged_model(logged.model_id, "READY")


def _save(path: Path, model: FolderModel, model_id: str, run_id: str) -> None:
    """Write a model as MLflow reads it."""
    import mlflow.pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    inputs = Schema([ColSpec(DataType.string) for _ in range(model.n_inputs)])
    outputs = Schema([ColSpec(DataType[kind], name) for name, kind in model.outputs.items()])
    data = path.with_name(DATA)
    data.symlink_to(model.folder.absolute(), target_is_directory=True)  # MLflow keeps the name of the folder
    mlflow.pyfunc.save_model(
        str(path),
        loader_module=model.loader,
        data_path=str(data),
        mlflow_model=Model(run_id=run_id, model_id=model_id, model_uuid=model_id),
        signature=ModelSignature(inputs=inputs, outputs=outputs),
        input_example=list(model.example),
        pip_requirements=list(model.requires),
        model_config=dict(model.config),
    )
