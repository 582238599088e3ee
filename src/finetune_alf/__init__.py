"""Search, explain, register and test per-layer learning rates of BERT-family encoders.

Importing this package costs next to nothing: torch, transformers and MLflow come in with the names that need them.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Study": "finetune_alf.notebook.study",
    "objective": "finetune_alf.study.objective",
    "LayerRates": "finetune_alf.rates",
    "Recipe": "finetune_alf.recipe",
    "Schedule": "finetune_alf.schedules.schedule",
    "published": "finetune_alf.schedules.published",
    "pull": "finetune_alf.schedules.pull",
    "param_groups": "finetune_alf.train.optimizer",
    "load_encoder": "finetune_alf.encoder.load",
    "anatomy_of": "finetune_alf.encoder.anatomy",
    "HoulsbyAdapter": "finetune_alf.recipe",
    "LoraAdapter": "finetune_alf.recipe",
    "with_adapter": "finetune_alf.encoder.adapters.inject",
    "save_adapter": "finetune_alf.encoder.adapters.save",
    "load_adapter": "finetune_alf.encoder.adapters.save",
    "load_sample": "finetune_alf.data.sample",
    "fit": "finetune_alf.train.fit",
    "task_splits": "finetune_alf.jobs.splits",
    "UniformRates": "finetune_alf.rates",
    "ListedRates": "finetune_alf.rates",
    "ChoicesSpace": "finetune_alf.study.space",
    "LogSpace": "finetune_alf.study.space",
    "FolderEncoder": "finetune_alf.encoder",
    "HubEncoder": "finetune_alf.encoder",
    "PackageEncoder": "finetune_alf.encoder",
    "SampleSpec": "finetune_alf.data.spec",
    "FilesSource": "finetune_alf.data.source_spec",
    "MiniSource": "finetune_alf.data.source_spec",
    "prepare_sample": "finetune_alf.data.prepare",
    "ComputeSpec": "finetune_alf.compute",
    "Compute": "finetune_alf.compute",
    "Paths": "finetune_alf.paths",
    "AlfError": "finetune_alf.errors",
    "load_params": "finetune_alf.experiments.registry",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
