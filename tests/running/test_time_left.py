"""The time that is left of a stage: counted from the fits of this start, without what only the first one takes."""

from finetune_alf.running.time_left import TimeLeft


def test_nothing_is_known_before_anything_is_done() -> None:
    left = TimeLeft(10, now=0.0)
    assert left.seconds(now=5.0) is None
    left.end("0", now=5.0, is_new=False)
    assert left.seconds(now=6.0) is None


def test_the_time_to_load_is_not_in_the_rate_of_the_first_epochs() -> None:
    left = TimeLeft(10, now=0.0)
    left.epoch("0", 0.25, seconds=5.0, now=100.0)  # 95 seconds of loading
    assert left.seconds(now=100.0) == 9.75 * 20
    left.epoch("0", 0.5, seconds=5.0, now=105.0)
    assert left.seconds(now=105.0) == 9.5 * 20
    assert left.seconds(now=106.0) == 9.5 * 20 - 1


def test_from_the_second_fit_on_the_first_one_is_left_out() -> None:
    left = TimeLeft(5, now=0.0)
    left.end("0", now=100.0)
    assert left.seconds(now=100.0) == 4 * 100
    left.end("1", now=110.0)
    assert left.seconds(now=110.0) == 3 * 10
    left.end("2", now=130.0)
    assert left.seconds(now=130.0) == 2 * 15


def test_epochs_count_within_the_third_fit() -> None:
    left = TimeLeft(4, now=0.0)
    left.end("0", now=100.0)
    left.end("1", now=110.0)
    left.epoch("2", 0.5, seconds=5.0, now=115.0)
    assert (left.done, left.seconds(now=115.0)) == (2.5, 1.5 * 10)


def test_fits_side_by_side_are_counted_together() -> None:
    left = TimeLeft(8, now=0.0)
    left.epoch("0", 0.5, seconds=5.0, now=60.0)
    left.epoch("1", 0.5, seconds=5.0, now=60.0)
    assert (left.n_going_on, left.seconds(now=60.0)) == (2, 7 * 5)


def test_fits_that_end_with_the_first_one_are_left_out_with_it() -> None:
    """Four at a time, ten seconds each after a slow start."""
    left = TimeLeft(12, now=0.0)
    for number in range(4):
        left.end(str(number), now=60.0 + number / 2)
    for number in range(4, 8):
        left.end(str(number), now=71.5)
    assert left.seconds(now=71.5) == 4 * 10 / 4


def test_steps_of_an_earlier_start_say_nothing_of_the_rate() -> None:
    left = TimeLeft(4, now=0.0)
    left.end("0", now=0.0, is_new=False)
    left.end("1", now=0.0, is_new=False)
    left.end("2", now=100.0)
    assert left.seconds(now=100.0) == 100


def test_a_fit_that_begins_anew_is_counted_once() -> None:
    left = TimeLeft(2, now=0.0)
    left.epoch("0", 0.75, seconds=1.0, now=3.0)
    left.epoch("0", 0.25, seconds=1.0, now=4.0)
    assert left.done == 0.25
    left.end("0", now=8.0)
    assert left.done == 1


def test_nothing_is_said_once_the_time_is_over() -> None:
    left = TimeLeft(2, now=0.0)
    left.end("0", now=10.0)
    assert left.seconds(now=19.0) == 1
    assert left.seconds(now=21.0) is None
