"""How busy a machine is said to be."""

import pytest

from finetune_alf.compute.load import BUSY, STARVED, busy_note


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_alf.compute.load.usable_cores", lambda: 4)


@pytest.mark.parametrize("load", [0.0, 4 * BUSY])
@pytest.mark.parametrize("cpu_share", [None, STARVED, 3.9])
def test_of_an_idle_machine_nothing_is_said(load: float, cpu_share: float | None) -> None:
    assert busy_note(load, cpu_share) is None


def test_a_load_of_others_is_named_with_the_cores() -> None:
    note = busy_note(9.87)
    assert note is not None
    assert note.startswith("This machine is busy: the load average is 9.9 on 4 cores. Fits take less time on an idle")


def test_a_computation_that_waits_for_others_shows_it_where_the_load_does_not() -> None:
    note = busy_note(0.1, 0.174)
    assert note is not None
    assert "the load average is 0.1 on 4 cores, and steps that were timed got 17% of one core." in note
    assert "Fits take longer than predicted for free cores" in note
