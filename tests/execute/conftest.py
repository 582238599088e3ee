"""Ray, as the tests of executors use it."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

TOKEN = secrets.token_hex(32)
"""Ray keeps the first token of a process: it is that of all modules."""


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """Ray on this machine until the module ends; its workers find the tests. A busy machine has a second try."""
    ray = pytest.importorskip("ray")
    from finetune_alf.errors import WorkerError
    from finetune_alf.execute.ray.cluster import RayCluster, connect

    before = dict(os.environ)
    os.environ["RAY_AUTH_TOKEN"] = TOKEN
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    with suppress(WorkerError):
        connect(RayCluster(), 2)
    connect(RayCluster(), 2)
    yield
    ray.shutdown()
    os.environ.clear()
    os.environ.update(before)
