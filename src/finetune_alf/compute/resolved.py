"""Compute: the settings of `compute` as they are on this machine."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from finetune_alf.compute.spec import ComputeSpec, Precision
from finetune_alf.errors import ParamsError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Compute:
    """How one process runs fits, with nothing left to decide; None stands for torch's own number of threads."""

    device: str
    precision: Precision
    n_threads: int | None = None
    micro_batch: int | None = None


def resolve(spec: ComputeSpec) -> Compute:
    """Return what `compute` stands for on this machine; ParamsError when it lacks the device.

    The process that coordinates fits calls this once, before anything is identified; workers are sent the result.
    """
    device = resolve_device(spec.device)
    return Compute(str(device), resolve_precision(spec.precision, device), threads_of(spec), spec.micro_batch)


def resolve_device(name: str) -> "torch.device":
    """Turn `auto`, `cpu`, `cuda:N` or `mps` into a device; ParamsError when this machine lacks it."""
    import torch

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


def resolve_precision(precision: Literal["auto", "fp32", "bf16"], device: "torch.device") -> Precision:
    """Turn `auto` into bf16 where the device has instructions for it, else fp32."""
    import torch

    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported() else "fp32"


def threads_of(spec: ComputeSpec) -> int | None:
    """Return the threads of one worker: `n_threads`, or its share of the cores; None stands for all cores."""
    if spec.n_threads or spec.n_workers == 1:
        return spec.n_threads
    return max(1, (os.cpu_count() or 1) // spec.n_workers)
