"""Prices out of timed work, and stages out of fits."""

from dataclasses import astuple

import numpy as np
import pytest

from finetune_alf.cost.plan import expected
from finetune_alf.cost.speed import Speed, Timed, speed_of
from finetune_alf.cost.work import Work

TRUE = Work(2e-11, 1e-3, 2e-3, 1e-9, 8e-12, 1e-3)


def some_work(seed, n_kinds=9):
    draw = np.random.default_rng(seed)
    sizes = np.array([2e10, 4, 40, 1e7, 3e10, 20])
    return [Work(*(sizes * draw.uniform(0.1, 1, len(sizes)))) for _ in range(n_kinds)]


def true_seconds(work):
    return Speed(TRUE, 0.0).seconds(work)


def test_prices_of_a_machine_without_noise_are_found():
    found = speed_of([Timed(work, true_seconds(work)) for work in some_work(1)], fit_s=0.1)
    assert astuple(found.price) == pytest.approx(astuple(TRUE), rel=1e-6)
    assert found.seconds(Work()) == 0.1


@pytest.mark.parametrize("seed", range(5))
def test_a_noisy_machine_is_predicted_within_a_fifth_and_no_price_is_negative(seed):
    draw = np.random.default_rng(seed)
    timed = [Timed(work, true_seconds(work) * draw.uniform(0.9, 1.15)) for work in some_work(seed, 14)]
    found = speed_of(timed, fit_s=0.0)
    assert min(astuple(found.price)) >= 0
    for work in some_work(seed + 100):
        assert found.seconds(work) == pytest.approx(true_seconds(work), rel=0.2)


def test_work_that_was_never_timed_costs_nothing_rather_than_anything():
    timed = [Timed(Work(train_flops=1e9), 1.0), Timed(Work(train_flops=2e9), 2.0)]
    assert astuple(speed_of(timed, 0.0).price) == pytest.approx((1e-9, 0, 0, 0, 0, 0))


def test_one_outlier_does_not_set_the_price():
    timed = [Timed(Work(train_flops=1e9), 1.0)] * 6 + [Timed(Work(train_flops=1e9), 40.0)]
    assert speed_of(timed, 0.0).price.train_flops == pytest.approx(1e-9, rel=0.2)


def test_a_stage_takes_its_fits_and_what_lies_between_them():
    alone = expected([2.0, 4.0, 3.0, 3.0, 3.0], between_s=0.5)
    assert (alone.n_fits, alone.fit_s, alone.seconds) == (5, 3.0, 5 * 3.5)
    assert expected([3.0] * 5, n_workers=2).seconds == 9.0  # three rounds
