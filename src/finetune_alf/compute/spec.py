"""The params of running fits: `compute` in params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finetune_alf.spec import Count, Spec

Precision = Literal["fp32", "bf16"]


class ComputeSpec(Spec):
    """How fits are run: the device, how many at once, threads, precision, and how many texts at a time."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda:\d{1,3})$")] = "auto"
    """The device of all fits; `auto` is the first GPU, where there is one."""
    n_workers: Count = 1
    """The processes that fit beside one another; they share out all cores, unless `n_threads` is given."""
    n_fused: Count = 1
    """The trials that one process takes through a single batched forward pass, where they differ in rates alone.

    Faster on a GPU that one small encoder leaves idle, the same training but for rounding, and as many times the
    memory. A sampler then proposes as many trials at a time.
    """
    n_threads: Count | None = None
    """The threads of each process."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 autocast over fp32 weights where the machine supports it, else fp32."""
    micro_batch: Count | None = None
    """Gradients are accumulated over batches of so many texts: the same step in less memory."""
    job_timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 86_400.0
    """The seconds after which a fit is ended; `null` is no limit.

    A day by default, since a search whose fits take longer than that takes months.
    """

    @model_validator(mode="after")
    def _fuse_in_one_process(self) -> Self:
        if self.n_fused > 1 and self.n_workers > 1:
            raise ValueError(f"n_fused must be 1 with more than one worker, but got {self.n_fused}; set n_workers to 1")
        return self

    @property
    def n_at_once(self) -> int:
        """How many fits run at a time."""
        return max(self.n_workers, self.n_fused)
