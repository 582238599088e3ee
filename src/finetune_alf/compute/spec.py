"""The params of running fits: `compute` in params.yaml."""

import importlib.util
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finetune_alf.errors import ParamsError
from finetune_alf.spec import Count, Spec

Precision = Literal["fp32", "bf16"]
GPU = Annotated[str, Field(pattern=r"^cuda:\d{1,3}$")]


class ComputeSpec(Spec):
    """How fits are run: where, on which devices, how many at once, threads, precision, and how many texts at a time."""

    executor: Literal["auto", "serial", "pool", "ray"] = "auto"
    """What runs the fits: `serial` is this process, `pool` worker processes beside it, `ray` workers on a cluster.

    `auto` is `serial` for one worker, `pool` for more.
    """
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda:\d{1,3})$")] = "auto"
    """The device of all fits; `auto` is the first GPU, where there is one."""
    devices: Literal["auto"] | Annotated[tuple[GPU, ...], Field(min_length=1)] = "auto"
    """The GPUs that the workers of a pool are dealt out over, by their numbers; several may share one.

    `auto` is all GPUs of this machine where `device` is `auto`, and `device` alone where it is not.
    """
    n_workers: Count = 1
    """The processes that fit beside one another; they share out all cores, unless `n_threads` is given."""
    n_fused: Count = 1
    """The fits that one process takes through a single batched forward pass, where they differ in rates alone.

    Faster on a GPU that one small encoder leaves idle, the same training but for rounding, and as many times the
    memory. With 1, the default, fits run one after another. A search by TPE, or with a pruner, runs no more trials at a
    time than `sampler.lag`.
    """
    n_threads: Count | None = None
    """The threads of each process; with Ray, the CPUs that each worker asks for."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 autocast over fp32 weights where the machine supports it, else fp32."""
    micro_batch: Count | None = None
    """Gradients are accumulated over batches of so many texts: the same step in less memory."""
    job_timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 86_400.0
    """The seconds after which a fit is ended; `null` is no limit.

    A day by default, since a search whose fits take longer than that takes months.
    """

    ray_address: Annotated[str, Field(pattern=r"^[^\s/]+:\d{1,5}$")] | None = None
    """The `host:port` of a Ray cluster that this machine is part of; `null` starts Ray on this machine alone."""
    ray_gpus: Annotated[float, Field(ge=0, le=16, allow_inf_nan=False)] = 0.0
    """The GPUs that each worker asks of Ray: 0.5 lets two workers share one, 0 is none."""
    ray_wait_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 300.0
    """The seconds after which a run ends when no node had what a worker asks for."""
    ray_without_token: bool = False
    """Join a cluster of several machines without Ray's token authentication: whoever reaches its port can run code."""

    @model_validator(mode="after")
    def _executor_has_what_it_needs(self) -> Self:
        if self.executor == "serial" and self.n_workers > 1:
            raise ValueError(f"n_workers must be 1 with executor: serial, but got {self.n_workers}; set it to pool")
        if self.executor in ("pool", "ray") and self.n_fused > 1:
            raise ValueError(f"n_fused must be 1 with executor: {self.executor}, but got {self.n_fused}")
        if self.devices != "auto" and (self.device != "auto" or self.executor == "ray"):
            raise ValueError("devices must be auto with a device, and with executor: ray, which deals out GPUs itself")
        return self

    @model_validator(mode="after")
    def _fuse_in_one_process(self) -> Self:
        if self.n_fused > 1 and self.n_workers > 1:
            raise ValueError(f"n_fused must be 1 with more than one worker, but got {self.n_fused}; set n_workers to 1")
        return self

    @property
    def runs_in(self) -> Literal["serial", "pool", "ray"]:
        """What `executor` stands for."""
        if self.executor == "auto":
            return "pool" if self.n_workers > 1 else "serial"
        return self.executor

    @property
    def n_at_once(self) -> int:
        """How many fits run at a time."""
        return max(self.n_workers, self.n_fused)


def check_installed(spec: ComputeSpec) -> None:
    """Raise ParamsError when the executor needs a package that is not installed."""
    if spec.executor == "ray" and importlib.util.find_spec("ray") is None:
        raise ParamsError(
            "compute.executor: must be one that is installed, but got ray without the package. "
            'Install it with: pip install "finetune-alf[ray]"'
        )
