"""The three words for how far weights move."""

import pytest

from finetune_alf.rates import BARELY, Movement, largest_movement, movement_word


@pytest.mark.parametrize(
    ("rate", "movement", "word"),
    [
        (0.0, 0.0, "frozen"),
        (0.0, 1.0, "frozen"),
        (5e-9, 0.0, "barely moves"),
        (5e-9, BARELY * 0.999, "barely moves"),
        (5e-9, BARELY, "learns"),
        (1e-3, 0.5, "learns"),
    ],
)
def test_an_address_is_frozen_at_rate_0_and_barely_moves_below_what_bf16_sees(rate, movement, word):
    assert movement_word(rate, movement) == word


def test_the_largest_movement_is_a_rate_a_step_over_the_size_of_a_weight():
    assert largest_movement(5e-9, 32, 0.04) == pytest.approx(4e-6)
    assert movement_word(5e-9, largest_movement(5e-9, 32, 0.04)) == "barely moves"


@pytest.mark.parametrize(
    ("movement", "text"),
    [(4.2e-5, "4.2e-5"), (0.034, ".034"), (3.21, "3.2"), (12.4, "12"), (250.0, "250"), (1234.5, "1,234")],
)
def test_a_movement_is_written_to_two_digits_and_a_large_one_as_a_whole_number(movement, text):
    assert str(Movement(1e-3, measured=movement)).endswith(f"(measured {text})")
