"""A real MLflow server that fails while a stage runs: nothing waits for it, and no point is lost or doubled."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from failing_server import FAULTS, Differences, Server, Stage, differences, run_stage_through, running
from fault_proxy import FaultProxy

from finetune_alf.tracking.mirror import END_TIMEOUT_S, START_TIMEOUT_S

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("server") / "root"
    shutil.copytree(empty_store, root)
    with running(root) as started:
        yield started


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    made = FaultProxy(server.port)
    yield made
    made.close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_server_that_fails_holds_up_nothing_and_gets_every_point_once(
    server: Server, proxy: FaultProxy, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(f"study/{name}/0123")
    with caplog.at_level(logging.WARNING):
        ended = run_stage_through(FAULTS[name], stage, tmp_path, server, proxy)
    print(f"{name}: {ended}")
    assert ended.times.longest_s < 1.0
    assert ended.times.end_s < END_TIMEOUT_S + 2.0 + (START_TIMEOUT_S if FAULTS[name].is_at_start else 0.0)
    assert caplog.text.count("Fits go on") <= 1
    assert differences(server, stage) == Differences(0, 0, 0)
