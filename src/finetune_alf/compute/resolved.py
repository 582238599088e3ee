"""Compute: the settings of `compute` as they are on this machine."""

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from finetune_alf.compute.cores import cores_of_time, usable_cores
from finetune_alf.compute.spec import ComputeSpec, Precision
from finetune_alf.errors import ParamsError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Compute:
    """How one process runs fits, with nothing left to decide; None stands for torch's own number of threads.

    `devices` are those of the workers, where they have several; `device` is that of this process.
    """

    device: str
    precision: Precision
    n_threads: int | None = None
    micro_batch: int | None = None
    devices: tuple[str, ...] = ()

    def of_worker(self, number: int) -> "Compute":
        """Return how the worker of this number runs fits: on one of the devices, in turn."""
        return replace(self, device=self.devices[number % len(self.devices)], devices=()) if self.devices else self


def resolve(spec: ComputeSpec) -> Compute:
    """Return what `compute` stands for on this machine; ParamsError when it lacks the device.

    The process that coordinates fits calls this once, before anything is identified; workers are sent the result.
    """
    own, of_workers = _on_ray(spec) if spec.runs_in == "ray" else _on_this_machine(spec)
    return Compute(str(own), resolve_precision(spec.precision, own), threads_of(spec), spec.micro_batch, of_workers)


def _on_this_machine(spec: ComputeSpec) -> "tuple[torch.device, tuple[str, ...]]":
    """Return the device of this process, and those of a pool's workers where they have several."""
    import torch

    names: tuple[str, ...] = (spec.device,)
    if spec.devices != "auto":
        names = spec.devices
    elif spec.device == "auto" and torch.cuda.is_available():
        names = tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
    field = "compute.device" if spec.devices == "auto" else "compute.devices"
    devices = [resolve_device(name, field) for name in names]
    return devices[0], tuple(map(str, devices)) if spec.runs_in == "pool" and len(devices) > 1 else ()


def _on_ray(spec: ComputeSpec) -> "tuple[torch.device, tuple[str, ...]]":
    """Return the device of this process and that of workers: Ray shows each the GPU that it was given as the first."""
    import torch

    own = resolve_device(spec.device) if spec.ray_gpus else torch.device("cpu")
    if spec.ray_gpus and own.type != "cuda" and spec.precision == "auto":
        raise ParamsError(
            "compute.precision: must be fp32 or bf16 where GPUs are on other machines than this one, but got auto. "
            "Set it to bf16 if they support it."
        )
    return own, ("cuda:0",) if spec.ray_gpus else ("cpu",)


def resolve_device(name: str, field: str = "compute.device") -> "torch.device":
    """Turn `auto`, `cpu`, `cuda:N` or `mps` into a device; ParamsError when this machine lacks it."""
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    refused = ParamsError(f"{field}: must be a device of this machine, but got {name}. Set it to `auto`.")
    try:
        device = torch.device(name)
    except RuntimeError:  # no name of a device at all
        raise refused from None
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(device.type, False):
        raise refused
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
    """Return the threads of one worker: `n_threads`, or its share of the cores that this process may use.

    None leaves them to torch: OMP_NUM_THREADS, or all cores that the process may run on; it does not know of a limit on
    their time. On a cluster it is one unless given: what cores its machines have is not known here.
    """
    if spec.ray_address and spec.runs_in == "ray":
        return spec.n_threads or 1
    if spec.n_threads or spec.n_workers > 1:
        return spec.n_threads or max(1, usable_cores() // spec.n_workers)
    return None if "OMP_NUM_THREADS" in os.environ else cores_of_time()
