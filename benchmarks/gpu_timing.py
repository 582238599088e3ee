"""Timing on a device: one run to warm up, then up to three, with the peak of the memory allocated there."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import torch

N_RUNS = 3
ENOUGH_S = 2.0
"""After this time no further run of the same begins."""


@dataclass
class Measurement:
    """One line of the table: `n_fits` fits in `seconds`, for each run.

    `loss` is the mean training loss of the first run, in nats; `flops` what a fit needs; `busy_frac` the part of the
    time in which the GPU computes, where it is measured. `problem` says why a line has no numbers.
    """

    part: str
    encoder: str
    texts: str
    what: str
    precision: str = "fp32"
    n_fits: int = 1
    n_texts: int = 0
    flops: float = 0.0
    seconds: list[float] = field(default_factory=list)
    peak_gib: float | None = None
    loss: float | None = None
    busy_frac: float | None = None
    problem: str | None = None

    @property
    def fit_s(self) -> float | None:
        """The median seconds of a fit."""
        return statistics.median(self.seconds) / self.n_fits if self.seconds else None

    def as_json(self) -> dict[str, object]:
        """Return all fields, and the seconds of a fit."""
        return asdict(self) | {"fit_s": self.fit_s}


def measure(line: Measurement, run: Callable[[], float], device: str) -> Measurement:
    """Fill in a line: `run` returns a training loss. What it raises becomes the line's problem."""
    is_cuda = device.startswith("cuda")
    gc.collect()  # reference cycles of an earlier line hold tensors
    if is_cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        line.loss = run()  # libraries prepare themselves
        while len(line.seconds) < N_RUNS and sum(line.seconds) < ENOUGH_S:
            _wait(is_cuda)
            started = time.perf_counter()
            run()
            _wait(is_cuda)
            line.seconds.append(time.perf_counter() - started)
    except Exception as error:  # one line less, not the whole run
        line.problem = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[
            :200
        ]
    if is_cuda:
        line.peak_gib = torch.cuda.max_memory_allocated() / 2**30
    return line


def measure_busy(line: Measurement, run: Callable[[], float], device: str) -> None:
    """Fill in `busy_frac`: the time of all kernels of one profiled run, over the seconds of a run without profiler."""
    if not device.startswith("cuda") or not line.seconds:
        return
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profiler:
        run()
        torch.cuda.synchronize()
    kernels_us = sum(event.self_device_time_total for event in profiler.key_averages())
    line.busy_frac = kernels_us / 1e6 / statistics.median(line.seconds)


def _wait(is_cuda: bool) -> None:
    if is_cuda:
        torch.cuda.synchronize()
