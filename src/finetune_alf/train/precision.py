"""The device of a fit, and its precision."""

import contextlib
from typing import Literal

import torch

from finetune_alf.errors import ParamsError

Precision = Literal["fp32", "bf16"]


def resolve_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda:N` or `mps` into a device; ParamsError when this machine lacks it."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(device.type, False):
        raise ParamsError(f"compute.device: must be a device of this machine, but got {name}. Set it to `auto`.")
    return device


def resolve_precision(precision: Literal["auto", "fp32", "bf16"], device: torch.device) -> Precision:
    """Turn `auto` into bf16 where the device has instructions for it, else fp32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported() else "fp32"


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[object]:
    """Return the context of a forward pass: bf16 autocast over fp32 weights, or nothing for fp32."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
