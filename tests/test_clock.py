import time

from finetune_alf.clock import Stopwatch


def test_the_seconds_of_a_stopwatch_stay_right_when_the_clock_of_the_system_is_set_back(monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 5_000_000_000)
    monkeypatch.setattr(time, "time", lambda: 5.0)
    stopwatch = Stopwatch()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    monkeypatch.setattr(time, "time", lambda: 1.0)
    assert stopwatch.seconds >= 0
