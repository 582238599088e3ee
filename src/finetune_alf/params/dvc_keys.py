"""The keys that dvc.yaml names must be written out in params.yaml: DVC knows no defaults, and fails after the stage."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from finetune_alf.errors import InputError
from finetune_alf.os_errors import check_regular
from finetune_alf.params.checks import Disagreement
from finetune_alf.params.model import Params
from finetune_alf.yaml_depth import bounded_yaml

_FOREACH = re.compile(r"\$\{(\w+)\}")


def missing_for_dvc(root: Path, value: Mapping[str, Any], params: Params) -> Iterator[Disagreement]:
    """Yield the keys that stages of a folder's dvc.yaml name and its params file, read as `value`, leaves out.

    `params` are the same settings with their defaults. A dvc.yaml that cannot be read is left to DVC.
    """
    defaults = params.model_dump(mode="json", by_alias=True)
    for key in _keys(root / "dvc.yaml"):
        path = tuple(key.split("."))
        default = _at(defaults, path)
        if _at(value, path) is None and default is not None:
            line = f"{path[-1]}: {{}}" if isinstance(default, dict) else f"{path[-1]}: {default}"
            yield path, f"must be given, since dvc.yaml names it and DVC knows no defaults. Add `{line}`"


def _keys(file: Path) -> list[str]:
    """Return the keys of params.yaml that stages name whole, those that they are repeated over included."""
    check_regular(file)
    try:
        document = bounded_yaml().load(file.read_text("utf-8"))
        stages = list(document["stages"].values())
    except (OSError, ValueError, TypeError, KeyError, AttributeError, YAMLError, InputError):
        return []
    keys: dict[str, None] = {}
    for stage in stages:
        repeated = _FOREACH.fullmatch(str(stage.get("foreach"))) if isinstance(stage, dict) else None
        if repeated:
            keys[repeated[1]] = None
        body = stage.get("do", stage) if isinstance(stage, dict) else {}
        given = body.get("params") if isinstance(body, dict) else None
        named = given if isinstance(given, list) else []
        keys |= dict.fromkeys(key for key in named if isinstance(key, str) and "${" not in key)
    return list(keys)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
