"""Ray beyond the contract, with real workers on this machine: the main points of the contract, and what it asks for."""

import os
import pickle
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import executor_works as works
import pytest

pytest.importorskip("ray")

from finetune_alf.errors import ParamsError, WorkerError
from finetune_alf.execute import Callbacks, Outcome
from finetune_alf.execute.messages import Ready, Task
from finetune_alf.execute.ray import RayCluster, RayExecutor, executor
from finetune_alf.execute.ray.cluster import check_token
from finetune_alf.execute.ray.executor import _Actors, _ActorWorker, _StoredWork, check_versions

pytestmark = pytest.mark.usefixtures("ray_here")


def test_jobs_report_are_stopped_fail_and_end_on_two_workers() -> None:
    reports: list[tuple[int, Any]] = []

    def on_report(job: int, content: Any) -> bool:
        reports.append((job, content))
        return job == 6 or content < 1

    outcomes = {
        outcome.job: outcome
        for outcome in RayExecutor(2).run(iter([5, 6, -1]), works.count_up_or_fail, Callbacks(on_report=on_report))
    }
    assert outcomes == {
        5: Outcome(5, 2, None),
        6: Outcome(6, 6, None),
        -1: Outcome(-1, None, "ValueError: -1 is negative"),
    }
    assert [report for report in reports if report[0] == 6] == [(6, content) for content in range(6)]


def test_a_worker_that_dies_costs_its_job_one_that_hangs_is_ended_and_late_reports_are_dropped(tmp_path: Path) -> None:
    heard: list[tuple[int, Any]] = []

    def on_report(job: int, content: Any) -> bool:
        heard.append((job, content))
        return True

    jobs = ["die", "hang", 1, 2]
    died, hung, first, second = RayExecutor(1, job_timeout_s=2.0).run(
        iter(jobs), works.die_hang_or_report_late, Callbacks(on_report=on_report)
    )
    assert died.worker_died
    assert str(died.failure).startswith("its worker died (ActorDiedError: The actor is dead because its worker process")
    assert hung == Outcome("hang", None, "it ran longer than job_timeout_s, 2 s")
    assert (first.result, second.result) == ([True], [False, True])
    assert heard == [(1, 1), (2, 2)]


def test_resources_that_no_node_has_are_named_after_a_time() -> None:
    cluster = RayCluster(n_cpus=1, n_gpus=0.5, wait_s=0.5)
    message = (
        r"in 0.5 s no node had CPU 1, GPU 0.5 free. The cluster has CPU \d+, GPU 0, of which CPU \d+, GPU 0 are free"
    )
    with pytest.raises(WorkerError, match=message):
        list(RayExecutor(2, cluster=cluster).run(iter([1, 2]), works.square))


def test_a_signal_handler_of_this_process_is_kept() -> None:
    assert list(RayExecutor(1).run(iter(()), works.square)) == []
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_lost_head_ends_the_run_although_workers_send_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{RayCluster.__module__}.is_head_lost", lambda: True)
    worker: Any = SimpleNamespace(has_begun=True)
    stored: Any = None
    with pytest.raises(WorkerError, match="cannot reach the head"):
        _Actors(RayCluster(), stored).wait([worker], None)


@pytest.mark.parametrize("address", ["10.1.2.3:6379", "head.cluster:6379"])
def test_a_cluster_elsewhere_needs_a_token_unless_it_is_trusted(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(ParamsError, match=rf"token authentication, but got {address} with RAY_AUTH_MODE=disabled"):
        check_token(RayCluster(address))
    check_token(RayCluster(address, without_token=True))
    for here in (None, "127.0.0.1:6379", "localhost:6379", "[::1]:6379"):
        check_token(RayCluster(here))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    check_token(RayCluster(address))


def test_other_versions_on_a_node_are_named_with_both_values() -> None:
    ours = {"Python": "3.11.2", "torch": "2.13.0"}
    check_versions(ours, ours)
    with pytest.raises(WorkerError, match=r"but has torch 2.12.0 and not 2.13.0\. Install"):
        check_versions({"Python": "3.11.2", "torch": "2.12.0"}, ours)


def test_what_jobs_read_is_sent_to_a_worker_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"text {name}")
    work, sent = works.ReadsFiles(tmp_path), []
    outcomes = RayExecutor(1).run(iter(["a", "a", "b"]), work)
    assert [outcome.result for outcome in outcomes] == ["text a", "text a", "text b"]

    def record(task: Task, digests: Any, new: Any, *contents: Any) -> Any:
        sent.append((len(new), len(contents)))
        return executor.ray.put(pickle.dumps(Ready()))

    actor = SimpleNamespace(hello=SimpleNamespace(remote=lambda: None), run=SimpleNamespace(remote=record))
    worker = _ActorWorker(actor, _StoredWork(work))
    for number, name in enumerate(["a", "a", "b"]):
        worker.send(Task(number, name))
    assert sent == [(1, 1), (0, 0), (1, 1)]


def test_no_token_is_written_and_no_usage_is_reported() -> None:
    list(RayExecutor(1).run(iter(()), works.square))
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
