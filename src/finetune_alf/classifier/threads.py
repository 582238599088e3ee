"""Batches of texts in several threads: each computes whole batches on its own cores, and never waits for the others.

Threads that share every matrix product meet after each of them, hundreds of times a batch.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

import torch

from finetune_alf.compute import Precision
from finetune_alf.compute.autocast import autocast

MAX_WORKERS = 8
"""More threads would wait for Python's lock."""

Rows = Sequence[int]
Result = TypeVar("Result")


def computed(
    compute: Callable[[Rows], Result], batches: Sequence[Rows], device: torch.device, precision: Precision
) -> Iterator[tuple[Rows, Result]]:
    """Yield each batch with what is computed of it, in any order; in threads on a CPU with several cores.

    `compute` runs in inference mode, in this precision. When the caller stops early, no further batch is begun.
    """
    n_threads = torch.get_num_threads()
    n_workers = min(n_threads, MAX_WORKERS, len(batches)) if device.type == "cpu" else 1
    with autocast(device, precision):  # around all batches, so that weights are cast to bf16 once
        if n_workers <= 1:
            yield from ((rows, _inferred(compute, rows)) for rows in batches)
            return
        pool = ThreadPoolExecutor(n_workers, initializer=_enter, initargs=(n_threads // n_workers, device, precision))
        try:
            futures = {pool.submit(_inferred, compute, rows): rows for rows in batches}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


@torch.inference_mode()
def _inferred(compute: Callable[[Rows], Result], rows: Rows) -> Result:
    return compute(rows)


def _enter(n_threads: int, device: torch.device, precision: Precision) -> None:
    """Set what belongs to a thread, until it ends; the caller's block ends what all share."""
    torch.set_num_threads(n_threads)
    autocast(device, precision).__enter__()
