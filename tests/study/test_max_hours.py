"""A study with `max_hours` ends in good order, and goes on where the limit is raised."""

import itertools
import time

import pytest
from fake_studies import FakeFit, LightPool, outcome_of, study, study_spec

from finetune_alf.study.records import busy_s, read_study, read_trials

S = 1 / 3600


@pytest.fixture
def minutes(monkeypatch):
    """Each look at the clock is a minute later: a trial takes one minute, from its begin to its end."""
    now = iter(range(0, 60_000 * 1000, 60_000))

    class Watch:
        def __init__(self):
            self.started_ms = next(now)

        @property
        def ended_ms(self):
            return next(now)

    for module in ("trial_attempts", "trial_jobs"):
        monkeypatch.setattr(f"finetune_alf.study.{module}.Stopwatch", Watch)


def test_no_trial_begins_after_the_limit(tmp_path, minutes):
    whole = study(tmp_path / "whole", study_spec(n_trials=6))
    ended = study(tmp_path / "ended", study_spec(n_trials=6, max_hours=120 * S))
    n = len(ended.records)
    assert 1 < n < 6
    assert outcome_of(ended) == outcome_of(whole)[:n]
    spans = [(record.started_ms, record.ended_ms) for record in ended.records]
    assert busy_s(spans[:-1]) < 120 <= busy_s(spans)
    folder = tmp_path / "ended" / "results" / "study" / "small"
    assert len(read_trials(folder / "trials.jsonl")) == n
    assert read_study(folder).n_trials == n


def test_a_second_start_fits_nothing_and_a_raised_limit_goes_on(tmp_path, minutes):
    n = len(study(tmp_path, study_spec(n_trials=6, max_hours=120 * S)).records)

    def refuse(job, report):
        raise AssertionError(f"{job.key} must not be fitted")

    assert len(study(tmp_path, study_spec(n_trials=6, max_hours=120 * S), work=refuse).records) == n
    raised = study(tmp_path, study_spec(n_trials=6))
    assert outcome_of(raised) == outcome_of(study(tmp_path / "whole", study_spec(n_trials=6)))


@pytest.mark.parametrize("hours", [10, -10])
def test_a_clock_that_is_set_during_a_trial_takes_no_time_from_the_search(tmp_path, monkeypatch, hours):
    """So the hours that a laptop sleeps are not those of a search."""
    fit, real, shift = FakeFit(), time.time_ns, itertools.count(1)

    def set_clock(job, report):
        shifted = next(shift) * hours * 3600 * 10**9
        monkeypatch.setattr(time, "time_ns", lambda: real() + shifted)
        return fit(job, report)

    records = study(tmp_path, study_spec(n_trials=4, max_hours=1), work=set_clock).records
    assert len(records) == 4
    assert all(0 <= record.ended_ms - record.started_ms < 60_000 for record in records)


def test_pauses_and_overlaps_do_not_count():
    spans = [(0, 10_000), (5_000, 12_000), (6_000, 7_000), (50_000, 51_000), (51_000, 51_000)]
    assert busy_s(spans) == 13.0
    assert busy_s(reversed(spans)) == 13.0
    assert busy_s([]) == 0.0


def test_no_trial_is_created_ahead_of_a_time_that_may_be_up(tmp_path):
    spec = study_spec(n_trials=6, sampler="random", max_hours=0.05 * S)  # less than a fit takes
    assert len(study(tmp_path, spec, executor=LightPool(1), work=FakeFit(0.1)).records) == 1
