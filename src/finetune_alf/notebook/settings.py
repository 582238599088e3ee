"""Settings by their own names: where in params.yaml each of them stands."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from finetune_alf.compute import ComputeSpec
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import ParamsError
from finetune_alf.experiments.transfer.spec import TransferSpec
from finetune_alf.nearest import did_you_mean
from finetune_alf.recipe import Recipe
from finetune_alf.register.spec import RegisterSpec
from finetune_alf.study.spec import ImportanceSpec, StudySpec

KeyPath = tuple[str, ...]

_NAMES = frozenset({"encoder", "sample", "samples", "source", "studies", "n_trials"})
"""Fields that Study sets itself."""

_GUESS_OF = {
    "problem_type": "task",
    **dict.fromkeys(("n_train", "n_validation", "n_confirmation", "n_test", "balance"), "sizes"),
}
"""The guess that a setting takes the place of, where it has another name."""


def guesses_replaced(settings: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of guesses that do not hold, since settings take the place of them or of a part of them."""
    return frozenset(_GUESS_OF.get(name, name) for name in settings)


def set_settings(params: dict[str, Any], sample: str, study: str, settings: Mapping[str, Any]) -> None:
    """Set fields of a project's parameters in place, each wherever there is one of this name.

    A field of the study, its recipe, its sample or `compute` is set once, the first that there is; `n_seeds` is that of
    registration and transfer. Raises ParamsError for a name that none of them has, and as `setting` does.
    """
    known = _places(sample, study)
    for name, value in settings.items():
        if name not in known:
            raise ParamsError(
                f"{name}: must be a setting of the study, its recipe, its sample, compute, register, transfer or "
                f"importance, but is none{did_you_mean(name, sorted(known))}."
            )
        for path in known[name]:
            section = params
            for key in path:
                section = section.setdefault(key, {})
            section[name] = setting(name, value)


def setting(name: str, value: Any) -> Any:
    """Return a setting as JSON has it; ParamsError for a value that JSON cannot have, such as a set."""
    try:
        return json.loads(json.dumps(plain(value)))
    except TypeError:
        raise ParamsError(
            f"{name}: must be a number, a text, a list or a dictionary, but got {type(value).__name__}: "
            f"{str(value)[:60]}."
        ) from None


def plain(value: Any) -> Any:
    """Return a value as JSON has it; specs become maps, numbers and arrays of NumPy, pandas and PyTorch Python's."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _places(sample: str, study: str) -> dict[str, list[KeyPath]]:
    """Return the sections that have each field, the study's first."""
    sections: list[tuple[KeyPath, type[BaseModel]]] = [
        (("studies", study), StudySpec),
        (("studies", study, "recipe"), Recipe),
        (("samples", sample), SampleSpec),
        (("compute",), ComputeSpec),
        (("transfer",), TransferSpec),
        (("register",), RegisterSpec),
        (("importance",), ImportanceSpec),
    ]
    found: dict[str, list[KeyPath]] = {}
    for path, spec in sections:
        for name in spec.model_fields.keys() - _NAMES:
            found.setdefault(name, []).append(path)
    return {name: paths if name == "n_seeds" else paths[:1] for name, paths in found.items()}
