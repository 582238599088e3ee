import os

import pytest

from finetune_alf.compute import ComputeSpec, cores
from finetune_alf.compute.cores import usable_cores
from finetune_alf.compute.resolved import threads_of


@pytest.fixture
def limit(monkeypatch, tmp_path):
    """Return a function that sets the limits of this process: cores to run on, and the text of cpu.max."""
    monkeypatch.setattr(cores, "CGROUP", tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def set_limits(n_allowed, cpu_max="max 100000\n"):
        monkeypatch.setattr(os, "cpu_count", lambda: 64)
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(n_allowed)))
        (tmp_path / "cpu.max").write_text(cpu_max)

    return set_limits


@pytest.mark.parametrize(
    ("asked", "n_allowed", "threads"),
    [
        (ComputeSpec(), 8, None),
        (ComputeSpec(n_threads=3), 8, 3),
        (ComputeSpec(n_workers=4), 8, 2),
        (ComputeSpec(n_workers=4), 2, 1),
        (ComputeSpec(n_workers=2, n_threads=1), 8, 1),
        (ComputeSpec(n_workers=4, executor="ray"), 8, 2),
        (ComputeSpec(n_workers=4, executor="ray", ray_address="head:6379"), 8, 1),
    ],
)
def test_workers_share_the_cores_of_this_process_unless_their_threads_are_named(asked, n_allowed, threads, limit):
    limit(n_allowed)
    assert threads_of(asked) == threads


@pytest.mark.parametrize(
    ("n_allowed", "cpu_max", "n"),
    [
        (8, "max 100000\n", 8),
        (8, "400000 100000\n", 4),
        (8, "250000 100000\n", 3),
        (2, "400000 100000\n", 2),
        (8, "50000 100000\n", 1),
        (8, "", 8),
    ],
)
def test_the_cores_of_a_container_are_those_that_it_may_run_on_and_has_the_time_of(n_allowed, cpu_max, n, limit):
    limit(n_allowed, cpu_max)
    assert usable_cores() == n
    assert threads_of(ComputeSpec(n_workers=2)) == max(1, n // 2)


def test_a_limit_on_time_is_told_to_torch_which_does_not_know_it_unless_the_user_has(limit, monkeypatch):
    limit(8, "400000 100000\n")
    assert threads_of(ComputeSpec()) == 4
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_of(ComputeSpec()) is None


def test_a_system_without_control_groups_has_no_limit_on_time(limit, tmp_path):
    limit(5)
    (tmp_path / "cpu.max").unlink()
    assert usable_cores() == 5
