"""params.yaml: its record (model), reading it with all faults at once (load), overlays and presets, editing it.

Every package brings its own spec, and every experiment its own section; here they are put together.
"""

from finetune_alf.params.load import load_params
from finetune_alf.params.model import Params

__all__ = ["Params", "load_params"]
