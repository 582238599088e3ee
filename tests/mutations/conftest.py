"""Runs the selected mutations side by side, and prints their verdicts at the end."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from mutation import SOURCES, Mutation, Verdict, run_mutated, run_tests

N_PROCESSES = 2
RUNS = pytest.StashKey[dict[Mutation, Future[Verdict]]]()


@pytest.fixture(scope="session")
def selected(request: pytest.FixtureRequest) -> list[Mutation]:
    """The mutations whose tests were selected on pytest's command line, in the order of the list."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    return [call.params["mutation"] for call in calls if call and "mutation" in call.params]


@pytest.fixture(scope="session")
def processes() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(N_PROCESSES)
    yield pool
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def unmutated(processes: ThreadPoolExecutor, selected: list[Mutation]) -> Future[Verdict]:
    """The tests of all selected mutations on the package as it is."""
    tests = sorted({test for mutation in selected for test in mutation.tests})
    return processes.submit(run_tests, tests, SOURCES, time_limit_s=1800.0)


@pytest.fixture(scope="session")
def runs(
    request: pytest.FixtureRequest, processes: ThreadPoolExecutor, unmutated: Future[Verdict], selected: list[Mutation]
) -> Mapping[Mutation, Future[Verdict]]:
    submitted = {mutation: processes.submit(run_mutated, mutation) for mutation in selected}
    request.config.stash[RUNS] = submitted
    return submitted


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    done = {mutation: run.result() for mutation, run in config.stash.get(RUNS, {}).items() if run.done()}
    if not done:
        return
    terminalreporter.section(f"{sum(one.is_killed for one in done.values())} of {len(done)} mutations were noticed")
    for mutation, verdict in done.items():
        noticed = f"noticed by {verdict.failed}" if verdict.is_killed else "NOT NOTICED"
        terminalreporter.line(f"{mutation.file}: {mutation.breaks}: {noticed}")
