import os

import pytest

from finetune_alf.compute import ComputeSpec
from finetune_alf.compute.resolved import threads_of


@pytest.mark.parametrize(
    ("asked", "cores", "threads"),
    [
        (ComputeSpec(), 8, None),
        (ComputeSpec(n_threads=3), 8, 3),
        (ComputeSpec(n_workers=4), 8, 2),
        (ComputeSpec(n_workers=4), 2, 1),
        (ComputeSpec(n_workers=2, n_threads=1), 8, 1),
    ],
)
def test_workers_share_the_cores_unless_their_threads_are_named(asked, cores, threads, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert threads_of(asked) == threads
