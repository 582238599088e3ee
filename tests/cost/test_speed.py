"""Speed from timed work, and stage times from fits."""

from dataclasses import astuple

import numpy as np
import pytest

from finetune_alf.cost.speed import Speed, TimedWork, estimate_speed
from finetune_alf.cost.stage_time import stage_time
from finetune_alf.cost.work import Work

TRUE = Work(2e-11, 1e-3, 2e-3, 1e-9, 8e-12, 1e-3)


def some_work(seed, n_kinds=9):
    draw = np.random.default_rng(seed)
    sizes = np.array([2e10, 4, 40, 1e7, 3e10, 20])
    return [Work(*(sizes * draw.uniform(0.1, 1, len(sizes)))) for _ in range(n_kinds)]


def true_seconds(work):
    return Speed(TRUE, 0.0).seconds(work)


def test_the_speed_of_a_machine_without_noise_is_found():
    found = estimate_speed([TimedWork(work, true_seconds(work)) for work in some_work(1)], fit_s=0.1)
    assert astuple(found.unit_s) == pytest.approx(astuple(TRUE), rel=1e-6)
    assert found.seconds(Work()) == 0.1


@pytest.mark.parametrize("seed", range(5))
def test_a_noisy_machine_is_predicted_within_a_fifth_and_no_unit_is_negative(seed):
    draw = np.random.default_rng(seed)
    timed = [TimedWork(work, true_seconds(work) * draw.uniform(0.9, 1.15)) for work in some_work(seed, 14)]
    found = estimate_speed(timed, fit_s=0.0)
    assert min(astuple(found.unit_s)) >= 0
    for work in some_work(seed + 100):
        assert found.seconds(work) == pytest.approx(true_seconds(work), rel=0.2)


def test_work_that_was_never_timed_takes_no_time():
    timed = [TimedWork(Work(train_flops=1e9), 1.0), TimedWork(Work(train_flops=2e9), 2.0)]
    assert astuple(estimate_speed(timed, 0.0).unit_s) == pytest.approx((1e-9, 0, 0, 0, 0, 0))


def test_one_outlier_does_not_determine_the_speed():
    timed = [TimedWork(Work(train_flops=1e9), 1.0)] * 6 + [TimedWork(Work(train_flops=1e9), 40.0)]
    assert estimate_speed(timed, 0.0).unit_s.train_flops == pytest.approx(1e-9, rel=0.2)


def test_a_stage_takes_its_fits_and_the_time_between_them():
    serial = stage_time([2.0, 4.0, 3.0, 3.0, 3.0], between_s=0.5)
    assert (serial.n_fits, serial.fit_s, serial.seconds) == (5, 3.0, 5 * 3.5)
    assert stage_time([3.0] * 5, n_workers=2).seconds == 9.0  # three rounds
