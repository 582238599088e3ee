"""The machine's peak: the rate of its matrix products, in the precisions that the peers use."""

import os
import platform
import time
from importlib import metadata
from pathlib import Path

import torch
from engine_records import Machine

SIZES = ((1024, 1024, 1024), (2048, 2048, 2048), (4096, 384, 1536), (8192, 768, 3072), (4096, 4096, 4096))
"""Rows, inner size and columns: squares, and the feed-forward layers of small and base encoders."""

GPU_SIZE = (8192, 8192, 8192)

SECONDS = 0.4
"""Each size is measured for at least this long."""


def machine(device: str, n_threads: int) -> Machine:
    """Measure the best rate over a few sizes, in both precisions."""
    torch.set_num_threads(n_threads)
    return Machine(
        cpu=cpu_name(),
        device=torch.cuda.get_device_name() if device.startswith("cuda") else device,
        n_cores=os.cpu_count() or 1,
        n_threads=n_threads,
        fp32=best_rate(device, torch.float32),
        bf16=best_rate(device, torch.bfloat16),
        versions={name: metadata.version(name) for name in ("torch", "transformers", "accelerate", "optuna")},
    )


def best_rate(device: str, dtype: torch.dtype, sizes: tuple[tuple[int, int, int], ...] = SIZES) -> float:
    """Return the highest rate of a matrix product in FLOP/s."""
    more = (GPU_SIZE,) if device.startswith("cuda") else ()
    return max(_rate(device, dtype, *size) for size in (*sizes, *more))


def _rate(device: str, dtype: torch.dtype, rows: int, inner: int, columns: int) -> float:
    a = torch.randn(rows, inner, device=device).to(dtype)
    b = torch.randn(inner, columns, device=device).to(dtype)
    out = torch.empty(rows, columns, device=device, dtype=dtype)
    fastest, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < SECONDS or fastest == float("inf"):
        fastest = min(fastest, _seconds(a, b, out))
    return 2 * rows * inner * columns / fastest


def _seconds(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> float:
    n_times = 20 if a.is_cuda else 1
    _synchronize(a)
    started = time.perf_counter()
    for _ in range(n_times):
        torch.mm(a, b, out=out)
    _synchronize(a)
    return (time.perf_counter() - started) / n_times


def _synchronize(tensor: torch.Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()


def cpu_name() -> str:
    """Return the processor's model name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
