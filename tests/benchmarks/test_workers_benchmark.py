"""The benchmark of workers and threads: both pools do the same fits, and every row has its ratio."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import workers

from finetune_alf.execute import Outcome


class NotedPool:
    """A pool that notes its jobs and does none."""

    jobs: dict[int, list[str]] = {}  # noqa: RUF012 - of all pools, by number of workers

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers

    def run(self, jobs, work):
        for job in jobs:
            self.jobs.setdefault(self.n_workers, []).append(str(job.recipe.rates.at(3)))
            yield Outcome(job, "done", None)


def test_both_pools_do_the_same_fits_after_the_first_of_each_worker(monkeypatch, capsys):
    monkeypatch.setattr(workers, "PoolExecutor", NotedPool)
    monkeypatch.setattr(workers, "usable_cores", lambda: 2)
    monkeypatch.setattr(sys, "argv", ["workers.py", "--encoder", "tiny", "--work", "mini", "--rounds", "1"])
    monkeypatch.setattr(NotedPool, "jobs", {})
    assert workers.main() == 0
    one, two = NotedPool.jobs[1], NotedPool.jobs[2]
    assert one[0] == two[0] == two[1]
    assert one[1:] == two[2:]
    assert len(one) - 1 == workers.N_FITS["mini"]
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["1 x 2", "2 x 1"]


def test_a_failed_fit_ends_the_benchmark(monkeypatch):
    class FailingPool(NotedPool):
        def run(self, jobs, work):
            yield Outcome(next(jobs), None, "no memory")

    monkeypatch.setattr(workers, "PoolExecutor", FailingPool)
    monkeypatch.setattr(sys, "argv", ["workers.py", "--encoder", "tiny", "--work", "mini", "--rounds", "1"])
    with pytest.raises(SystemExit, match="no memory"):
        workers.main()
