"""The precision of a forward pass."""

import contextlib

import torch

from finetune_alf.compute.spec import Precision


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[object]:
    """Return the context of a forward pass: bf16 autocast over fp32 weights, or nothing for fp32."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
