"""A saved classifier as a version of a registered model in MLflow, which `mlflow.pyfunc` loads."""

import re
from collections.abc import Mapping
from pathlib import Path

from finetune_alf import __version__
from finetune_alf.checksums import digest
from finetune_alf.classifier import pyfunc
from finetune_alf.classifier.labelling import added_columns
from finetune_alf.classifier.record import read_record
from finetune_alf.data.text_columns import columns_of
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.models import FolderModel, register_model

CURRENT = "current"
"""The alias of the classifier that a project uses; those of other schemes have the name of theirs."""

_RESERVED = re.compile(rf"latest|{CURRENT}|v\d+", re.IGNORECASE)
"""What MLflow, or a project, calls something else."""


def classifier_name(project: str, study: str) -> str:
    """Return the name of a study's registered model; the schedules have theirs beside it."""
    return f"clf-{project}.{study}"


def scheme_alias(scheme: str) -> str:
    """Return a scheme's name as an alias, which has letters, digits, - and _ alone."""
    alias = re.sub(r"[^A-Za-z0-9_-]", "-", scheme)
    return f"scheme-{alias}" if _RESERVED.fullmatch(alias) else alias


def register_classifier(
    tracker: MlflowTracker,
    run_id: str,
    folder: Path,
    name: str,
    alias: str,
    *,
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    description: str,
) -> int:
    """Register the classifier of a folder as a version of `name`, unless it is one, and return the version's number.

    Its digest is that of all that it predicts by. The example of its input is no text of the sample, which may be
    private. `description` is that of the version, in Markdown. Raises EncoderError for a folder without a classifier,
    and TrackingError when the store fails.
    """
    record = read_record(folder)
    outputs, n_inputs = added_columns((), record.label_names), len(columns_of(record.text or "text"))
    model = FolderModel(
        folder=folder,
        digest=digest(record.model_dump(mode="json")),
        loader=pyfunc.__name__,
        n_inputs=n_inputs,
        outputs={column: "double" if at else "string" for at, column in enumerate(outputs)},
        example=["a text"] if n_inputs == 1 else [[f"text {at + 1}" for at in range(n_inputs)]],
        requires=[f"finetune-alf[pipeline]=={__version__}"],
        config={"device": "auto"},
        metrics=metrics,
    )
    return register_model(tracker, run_id, name, alias, model, tags, description)
