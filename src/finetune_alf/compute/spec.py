"""The params of running fits: `compute` in params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finetune_alf.spec import Count, Spec

Precision = Literal["fp32", "bf16"]


class ComputeSpec(Spec):
    """How fits are run: the device, how many at once, threads, precision, and how many texts at a time.

    `n_workers` is how many processes fit beside one another; they share out all cores, unless `n_threads` names the
    threads of each. `n_fused` is how many trials that differ in rates alone one process takes through a single batched
    forward pass: faster on a GPU that one small encoder leaves idle, the same training but for rounding, and as many
    times the memory. A sampler then proposes as many trials at a time. `precision: auto` is bf16 autocast over fp32
    weights where the machine supports it. With `micro_batch` gradients are accumulated over batches of that many texts:
    the same step in less memory. A fit that takes longer than `job_timeout_s` is ended, `null` is no limit: a day by
    default, since a search whose fits take longer than that takes months.
    """

    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda:\d{1,3})$")] = "auto"
    """The device of all fits; `auto` is the first GPU, where there is one."""
    n_workers: Count = 1
    n_fused: Count = 1
    n_threads: Count | None = None
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    micro_batch: Count | None = None
    job_timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 86_400.0

    @model_validator(mode="after")
    def _fuse_in_one_process(self) -> Self:
        if self.n_fused > 1 and self.n_workers > 1:
            raise ValueError(f"n_fused must be 1 with more than one worker, but got {self.n_fused}; set n_workers to 1")
        return self

    @property
    def n_at_once(self) -> int:
        """How many fits run at a time."""
        return max(self.n_workers, self.n_fused)
