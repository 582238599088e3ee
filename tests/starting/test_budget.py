"""`init --budget`: the largest search whose predicted time fits."""

from dataclasses import replace

import pytest

from finetune_alf.errors import InputError
from finetune_alf.starting.budget import EFFORTS, sized
from finetune_alf.starting.columns import Guess
from finetune_alf.starting.duration import seconds_of
from finetune_alf.starting.params_text import Start
from finetune_alf.starting.sizes import guess_sizes

START = Start(
    project="reviews",
    table="reviews.csv",
    encoder_name="minilm",
    encoder={},
    text=Guess("text", ""),
    label=Guess("label", ""),
    task=Guess("classification", ""),
    sizes=guess_sizes({"a": 500, "b": 500}, "even"),
    metric=Guess("accuracy", ""),
    max_tokens=Guess(64, "half have at most 40 tokens"),
)


def seconds(start: Start) -> float:
    """Ten fits a seed and one a trial; a fit takes as long as its tokens."""
    return (start.n_trials + 10 * start.n_seeds) * start.max_tokens.value * start.sizes.value.n_train / 1000


def test_times_are_read_as_people_write_them() -> None:
    assert [seconds_of(text) for text in ("90s", "10m", "1.5h", "1D")] == [90, 600, 5400, 86400]
    for text in ("", "10", "0m", "ten minutes", "-1h"):
        with pytest.raises(InputError, match="must be a time such as 10m or 1h"):
            seconds_of(text)


@pytest.mark.parametrize(
    ("budget_s", "n_trials", "n_seeds", "tokens", "n_train"),
    [
        (10_000, 120, 5, 64, 200),
        (90 * 12.8, 40, 5, 64, 200),
        (90 * 12.8 - 1, 30, 5, 64, 200),
        (42 * 12.8, 12, 3, 64, 200),
        (28 * 12.8, 8, 2, 64, 200),
        (28 * 12.8 - 1, 8, 2, 48, 200),
        (28 * 6.4, 8, 2, 32, 200),
        (28 * 3.2, 8, 2, 32, 100),
        (28 * 1.6, 8, 2, 32, 50),
    ],
)
def test_the_largest_search_that_fits_is_chosen_and_texts_are_cut_last(
    budget_s: float, n_trials: int, n_seeds: int, tokens: int, n_train: int
) -> None:
    found = sized(START, budget_s, seconds)
    assert found.seconds <= budget_s
    start = found.start
    chosen = (start.n_trials, start.n_seeds, start.max_tokens.value, start.sizes.value.n_train)
    assert chosen == (n_trials, n_seeds, tokens, n_train)


def test_where_nothing_fits_the_smallest_search_is_returned_with_its_time() -> None:
    found = sized(START, 1.0, seconds)
    assert (found.start.n_trials, found.start.n_seeds) == EFFORTS[-1]
    assert found.seconds == seconds(found.start) == pytest.approx(28 * 1.6)
    assert found.start.sizes.value == replace(START.sizes.value, n_train=50, n_cut=150)


def test_texts_that_are_cut_for_a_budget_keep_what_was_seen_of_their_lengths() -> None:
    cut = sized(START, 28 * 6.4, seconds).start.max_tokens
    assert (cut.value, cut.seen) == (32, "cut to fit the budget; at 64 tokens, half have at most 40 tokens")
