"""Encoders that transformers cannot compute in bf16: their forward pass is in fp32, whatever the precision."""

import contextlib
from typing import TYPE_CHECKING

import torch

from finetune_alf.compute import Precision

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FP32_TYPES = frozenset({"deberta"})
"""Model types. The first DeBERTa adds an fp32 bias to the query, and so masks scores in bf16 by the lowest number of
fp32, which bf16 does not have: transformers raises an error. DeBERTa v2 and v3 do not."""


def supported_autocast(model: "PreTrainedModel") -> contextlib.AbstractContextManager[object]:
    """Return the context of transformers' forward pass: without autocast for a model that fails under it."""
    if model.config.model_type not in FP32_TYPES:
        return contextlib.nullcontext()
    return torch.autocast(model.device.type, enabled=False)


def computed_precision(model: "PreTrainedModel", precision: Precision) -> Precision:
    """Return the precision that fits of a model are computed in where they are to be in this one."""
    return "fp32" if model.config.model_type in FP32_TYPES else precision
