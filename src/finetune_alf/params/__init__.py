"""params.yaml: its record (model), reading it with all faults at once (load), overlays and presets, editing it.

Every package brings its own spec, and every experiment its own section; here they are put together. Names are loaded
when they are first used: the record needs all specs, reading a file needs none.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune_alf.params.load import load_params
    from finetune_alf.params.model import Params

__all__ = ["Params", "load_params"]

_HOMES = {"Params": "finetune_alf.params.model", "load_params": "finetune_alf.params.load"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
