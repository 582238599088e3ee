"""Workers do not wait for the caller: the next job is there when one ends, and no report waits that stops nothing."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import executor_works as works
import pytest

from finetune_alf.execute import Callbacks, Executor, PoolExecutor

PATIENCE_S = 60.0


def on_ray() -> Executor:
    from finetune_alf.execute.ray import RayExecutor

    return RayExecutor(1)


@pytest.fixture(params=["pool", pytest.param("ray", marks=pytest.mark.long)])
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "ray":
        request.getfixturevalue("ray_here")
        return on_ray()
    return PoolExecutor(1)


def test_a_worker_works_while_the_caller_handles_its_last_outcome(executor: Executor, tmp_path: Path) -> None:
    files = [tmp_path / "0", tmp_path / "1", tmp_path / "2"]
    for outcome in executor.run(iter(files), works.report_and_go_on):
        for following in files[files.index(outcome.job) + 1 :][:1]:
            assert wait_for(following)


def test_a_worker_does_not_wait_for_an_answer_that_cannot_stop_it(executor: Executor, tmp_path: Path) -> None:
    seen: list[bool] = []

    def on_report(job: Path, content: Any) -> bool:
        seen.append(wait_for(job))
        return True

    callbacks = Callbacks(on_report=on_report, may_stop=False)
    assert [outcome.result for outcome in executor.run(iter([tmp_path / "file"]), works.report_and_go_on, callbacks)]
    assert seen == [True]


def test_a_worker_waits_for_an_answer_that_may_stop_it(executor: Executor, tmp_path: Path) -> None:
    seen: list[bool] = []

    def on_report(job: Path, content: Any) -> bool:
        time.sleep(0.2)
        seen.append(job.exists())
        return False

    callbacks = Callbacks(on_report=on_report)
    (outcome,) = executor.run(iter([tmp_path / "file"]), works.report_and_go_on, callbacks)
    assert (outcome.result, seen) == (False, [False])


def test_a_job_that_was_taken_ahead_has_not_begun_when_the_run_ends(executor: Executor, tmp_path: Path) -> None:
    taken, begun = list[Path](), list[Path]()

    def jobs() -> Iterator[Path]:
        for number in range(5):
            taken.append(tmp_path / str(number))
            yield taken[-1]

    run = executor.run(jobs(), works.report_and_go_on, Callbacks(on_begin=begun.append, may_stop=False))
    next(run)
    assert (len(taken), len(begun)) == (2, 2)  # the second works, and nothing more was taken yet
    next(run)
    run.close()
    assert len(taken) == len(begun) == 3


def wait_for(path: Path) -> bool:
    due = time.monotonic() + PATIENCE_S
    while not path.exists() and time.monotonic() < due:
        time.sleep(0.01)
    return path.exists()
