"""The user's own `labels`: which classes are one, and which are left out, before anything is guessed of them."""

import json
from typing import Any

from pydantic import ValidationError

from finetune_alf.data.spec import LabelsSpec
from finetune_alf.errors import InputError
from finetune_alf.spec import first_fault


def labels_of(given: Any) -> LabelsSpec:
    """Return `labels` of a sample, given as JSON has it; InputError, naming its first fault, for anything else."""
    try:
        return LabelsSpec.model_validate_json(json.dumps(given))
    except (ValidationError, TypeError) as error:
        fault = first_fault(error) if isinstance(error, ValidationError) else error
        raise InputError(
            f"labels: must be as in a sample, such as {{drop: [-1]}} or {{map: {{POS: pos}}}}, but got {given!r}: "
            f"{fault}."
        ) from None


def in_init(labels: str) -> str:
    """Return how `labels` apply to the guesses."""
    return f"run this again with --labels '{labels}' --force"
