"""Runs the selected mutations side by side, and prints their verdicts at the end."""

import queue
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from forked_pytest import ForkedPytest
from mutation import PACKAGE, Mutation, Verdict, run_mutated, run_tests

N_PROCESSES = 2
RUNS = pytest.StashKey[dict[Mutation, Future[Verdict]]]()
Submit = Callable[[Callable[[ForkedPytest], Verdict]], Future[Verdict]]


@pytest.fixture(scope="session")
def submit() -> Iterator[Submit]:
    """A function that calls another one with a process of its own, as soon as one of them is free."""
    idle: queue.SimpleQueue[ForkedPytest] = queue.SimpleQueue()
    processes = [ForkedPytest() for _ in range(N_PROCESSES)]
    for process in processes:
        idle.put(process)

    def call(function: Callable[[ForkedPytest], Verdict]) -> Verdict:
        process = idle.get()
        try:
            return function(process)
        finally:
            idle.put(process)

    pool = ThreadPoolExecutor(N_PROCESSES)
    yield lambda function: pool.submit(call, function)
    pool.shutdown(cancel_futures=True)
    for process in processes:
        process.close()


@pytest.fixture(scope="session")
def selected(request: pytest.FixtureRequest) -> list[Mutation]:
    """The mutations whose tests were selected on pytest's command line, in the order of the list."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    return [call.params["mutation"] for call in calls if call and "mutation" in call.params]


@pytest.fixture(scope="session")
def unmutated(submit: Submit, selected: list[Mutation]) -> Future[Verdict]:
    """The tests of all selected mutations on the package as it is."""
    tests = sorted({test for mutation in selected for test in mutation.tests})
    return submit(lambda process: run_tests(process, tests, PACKAGE.parent, time_limit_s=1800.0))


@pytest.fixture(scope="session")
def runs(
    request: pytest.FixtureRequest, submit: Submit, unmutated: object, selected: list[Mutation]
) -> Mapping[Mutation, Future[Verdict]]:
    def start(mutation: Mutation) -> Future[Verdict]:
        return submit(lambda process: run_mutated(process, mutation))

    request.config.stash[RUNS] = {mutation: start(mutation) for mutation in selected}
    return request.config.stash[RUNS]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    done = {m: run.result() for m, run in config.stash.get(RUNS, {}).items() if run.done() and not run.cancelled()}
    if not done:
        return
    terminalreporter.section(f"{sum(one.is_killed for one in done.values())} of {len(done)} mutations were noticed")
    for mutation, verdict in done.items():
        noticed = f"noticed by {verdict.failed}" if verdict.is_killed else "NOT NOTICED"
        terminalreporter.line(f"{mutation.file}: {mutation.breaks}: {noticed}")
