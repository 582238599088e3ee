"""The benchmark of faults: it counts what it should, prints its table, and ends with 1 where a goal is missed."""

import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import chaos  # noqa: E402
from chaos_rows import Figure, Row, Run, at_most, none_of  # noqa: E402


@pytest.fixture(autouse=True)
def path_of_figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = list(sys.path)
    sys.path[:0] = [str(folder) for folder in chaos.IMPORTED]
    yield
    sys.path[:] = before


def run_of(root: Path, n_kills: int = 1) -> Run:
    return Run(root, random.Random(1), n_kills, n_trials=10, advance=lambda: None)


def test_a_row_says_how_many_of_how_many_and_whether_its_goal_is_met() -> None:
    assert astuple(none_of("done", 0, 1200, "trials lost")) == ("done", "0 of 1,200 trials lost", "0", True)
    assert not none_of("done", 1, 1200, "trials lost").is_met
    assert astuple(at_most("done", 2.5, "s", 2.0)) == ("done", "2.50 s", "at most 2 s", False)


@pytest.mark.parametrize(("n_bad", "code", "goal"), [(0, 0, "| 0 |"), (2, 1, "| 0, **missed** |")])
def test_the_table_has_seed_machine_commit_and_versions_and_a_missed_goal_ends_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, n_bad: int, code: int, goal: str
) -> None:
    import chaos_figures

    def measure(run: Run) -> list[Row]:
        run.advance()
        return [none_of("planted", n_bad, 7, "trials lost"), none_of("planted", 0, 3, "others")]

    monkeypatch.setattr(chaos_figures, "FIGURES", {"F1": Figure(measure, "trials lost", "0", lambda kills: 1)})
    assert chaos.main(["--only", "F1", "--seed", "4", "--kills", "3"]) == code
    shown = capsys.readouterr()
    assert shown.out.startswith("`--kills 3 --seed 4`; ")
    assert all(word in shown.out for word in ("cores", "Python 3.", "commit ", "optuna ", "torch "))
    assert f"| F1 | planted | {n_bad} of 7 trials lost {goal}" in shown.out
    assert "| F1 |  | 0 of 3 others | 0 |" in shown.out
    assert "F1 [####################] 1/1" in shown.err


def test_an_unknown_figure_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        chaos.main(["--only", "F99"])
    assert ended.value.code == 2
    assert "no figure F99; there are F1, F2" in capsys.readouterr().err


def test_faults_of_a_study_are_counted_each_by_its_kind(tmp_path: Path) -> None:
    from fake_studies import outcome_of, study, study_spec

    from kills import acknowledge
    from resumed import Faults, faults

    spec = study_spec(n_trials=4, sampler="random")
    result = study(tmp_path, spec, on_trial=lambda record: acknowledge(tmp_path, record))
    expected = outcome_of(result)
    assert faults(tmp_path, "small", expected) == Faults()
    acknowledge(tmp_path, result.records[0].model_copy(update={"number": 9}))
    assert faults(tmp_path, "small", expected) == Faults(lost=1)
    with sqlite3.connect(result.database) as connection:
        connection.execute("update trials set state = 'RUNNING' where number = 2")
        connection.execute("update trials set number = 0 where number = 1")
    connection.close()
    found = faults(tmp_path, "small", expected)
    assert (found.unfinished, found.repeated) == (1, 2)
    assert found.different


def test_runs_and_points_of_mlflow_that_are_lost_and_doubled_are_counted_each(tmp_path: Path) -> None:
    import chaos_kills

    epochs = [("a", 0), ("a", 1), ("b", 0)]
    whole = mlflow_store(tmp_path / "whole", ["a", "b"], epochs)
    one_lost = mlflow_store(tmp_path / "one", ["a"], epochs[:2])
    one_twice = mlflow_store(tmp_path / "other", ["a", "b", "b"], [*epochs[:2], epochs[1]], status="RUNNING")
    rows = chaos_kills._mlflow_rows("killed", [whole, one_lost, one_twice], whole)
    assert [row.found for row in rows] == [
        "2 of 6 runs missing in MLflow, or twice",
        "3 of 6 runs in MLflow left running",
        "3 of 9 points in MLflow lost or doubled",
    ]


def mlflow_store(root: Path, keys: list[str], epochs: list[tuple[str, int]], status: str = "FINISHED") -> Path:
    """Return a project with a store of runs with these keys, and a loss at these epochs of the first run of a key."""
    (root / "mlruns").mkdir(parents=True)
    runs = [(str(number), key) for number, key in enumerate(keys)]
    first = {key: run for run, key in reversed(runs)}
    with closing(sqlite3.connect(root / "mlruns" / "mlflow.db")) as connection, connection:
        connection.execute("create table runs (run_uuid, status, lifecycle_stage)")
        connection.execute("create table tags (run_uuid, key, value)")
        connection.execute("create table metrics (run_uuid, key, step)")
        connection.executemany("insert into runs values (?, ?, 'active')", [(run, status) for run, _ in runs])
        connection.executemany("insert into tags values (?, 'alf.key', ?)", runs)
        connection.executemany(
            "insert into metrics values (?, 'loss', ?)", [(first[key], step) for key, step in epochs]
        )
    return root


def test_a_figure_on_a_server_is_not_measured_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import chaos_server

    import postgres_server

    monkeypatch.setattr(postgres_server, "find_programs", lambda: None)
    assert [(row.found, row.is_met) for row in chaos_server.on_a_server(run_of(tmp_path))] == [("not measured", True)]


@pytest.mark.long
def test_poisoned_fits_leave_the_other_trials_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import chaos_poison

    monkeypatch.setattr(chaos_poison, "SPACING", 2)
    monkeypatch.setattr(chaos_poison, "TIME_LIMIT_S", 1.0)
    rows = chaos_poison.one_in_ten(run_of(tmp_path))
    assert [row.found for row in rows] == [
        "0 of 5 other trials that differ from a clean run",
        "0 of 5 poisoned trials without that reason",
    ] * 2


def test_of_starts_at_the_same_moment_one_runs_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import chaos_contention

    for name, value in {"N_STARTS": 4, "N_ROUNDS": 1, "N_TRIALS": 8}.items():
        monkeypatch.setattr(chaos_contention, name, value)
    monkeypatch.setattr(chaos_contention, "_refused_command", lambda run: at_most("refused", 0.0, "s", 2.0))
    rows = chaos_contention.one_study(run_of(tmp_path))
    assert [row.found for row in rows[:3]] == [
        "0 of 8 trials fitted twice or not at all",
        "0 of 1 rounds with another number of winners than one",
        "0 of 4 starts that ended in another way",
    ]


@pytest.mark.long
def test_all_figures_are_measured(capfd: pytest.CaptureFixture[str]) -> None:
    chaos.main(["--kills", "1", "--trials", "20"])
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("| F")]
    from chaos_figures import FIGURES

    assert {line.split()[1] for line in lines} == set(FIGURES)
    assert not [line for line in lines if "missed" in line and not line.startswith(("| F17", "| F4"))]
