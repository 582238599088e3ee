"""Compare one worker with a thread for each core with a worker of one thread for each core, at equal work.

    python benchmarks/workers.py
    python benchmarks/workers.py --work mini

Fits of MiniLM, whose rates are those of a study's trials, by a pool of each kind, in turns. Both pools do the same
fits. Timed is from the outcome of each worker's first fit to the last outcome, so that starting a worker is left out.
ALF_DATA names a folder with imdb/train.parquet and sst2/train.csv; without it there are the packaged film reviews
alone, which are those of the default study.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from engine_records import Prepared
from engine_setup import Preparation, prepare
from engine_work import WORKS, Work

from finetune_alf.compute import ComputeSpec, resolve
from finetune_alf.compute.cores import usable_cores
from finetune_alf.execute import PoolExecutor
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner

NAMES = ("mini", "sst2", "imdb-512")
N_FITS = {"mini": 12, "sst2": 8, "imdb-512": 4}
"""Fits of a pool in a round, beside the first one of each worker."""


@dataclass(frozen=True)
class Pool:
    """A number of workers, and the threads of each."""

    n_workers: int
    n_threads: int

    def __str__(self) -> str:
        return f"{self.n_workers} x {self.n_threads}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=NAMES, nargs="+", default=list(NAMES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--encoder", choices=["minilm", "tiny"], default="minilm")
    args = parser.parse_args()
    data, n_cores = os.environ.get("ALF_DATA"), usable_cores()
    works = [work for work in WORKS if work.name in args.work and (data or work.source == "mini")]
    pools = (Pool(1, n_cores), Pool(n_cores, 1))
    print(
        "| work | workers x threads | s a fit, median (lowest and highest round) | of the other's |\n|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        names = tuple(work.name for work in works)
        prepared = prepare(Preparation(encoder=args.encoder, mode="quick", works=names, data=data, root=folder))
        for work in works:
            rounds = [[seconds_a_fit(prepared, work, pool) for pool in pools] for _ in range(args.rounds)]
            for index, pool in enumerate(pools):
                own = [times[index] for times in rounds]
                ratio = median(times[index] / times[1 - index] for times in rounds)
                row = f"| {work.title} | {pool} | {median(own):.2f} ({min(own):.2f}–{max(own):.2f}) | {ratio:.2f} |"
                print(row, flush=True)
    return 0


def seconds_a_fit(prepared: Prepared, work: Work, pool: Pool) -> float:
    """Return the seconds that a pool takes for a fit, once its workers have started."""
    texts = prepared.texts[work.name]
    compute = resolve(ComputeSpec(device="cpu", n_workers=pool.n_workers, n_threads=pool.n_threads))
    runner = FitRunner({texts.digest: Path(texts.sample)}, compute)
    vectors = work.rates(prepared.shape.n_layers)

    def jobs() -> Iterator[FitJob]:
        for number in range(pool.n_workers + N_FITS[work.name]):
            index = max(number - pool.n_workers, 0)  # each worker's first fit is the same
            recipe, precision = work.recipe().with_rates(vectors[index % len(vectors)]), compute.precision
            yield FitJob(str(number), recipe, prepared.encoder, texts.digest, 0, precision, "validation", "accuracy")

    n_done, begun, ended = 0, 0.0, 0.0
    for outcome in PoolExecutor(pool.n_workers).run(jobs(), runner):
        if outcome.failure is not None:
            sys.exit(f"{work.name}: a fit failed: {outcome.failure}")
        n_done, ended = n_done + 1, time.perf_counter()
        if n_done == pool.n_workers:
            begun = ended
    return (ended - begun) / N_FITS[work.name]


if __name__ == "__main__":
    sys.exit(main())
