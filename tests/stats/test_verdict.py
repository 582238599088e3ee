"""Holm's correction against its definition, and the verdict on a difference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf.errors import InputError
from finetune_alf.stats import NO_EVIDENCE, holm, verdict

p_value_lists = st.lists(st.floats(0, 1), max_size=8)


def rejected_at(level: float, p_values: list[float]) -> set[int]:
    """Holm's step-down procedure as published: from the smallest p until one is not small enough."""
    rejected: set[int] = set()
    for index in sorted(range(len(p_values)), key=p_values.__getitem__):
        if p_values[index] * (len(p_values) - len(rejected)) > level:
            break
        rejected.add(index)
    return rejected


@given(p_values=p_value_lists, level=st.floats(0.001, 0.999))
def test_adjusted_p_values_reject_what_the_procedure_rejects(p_values: list[float], level: float) -> None:
    assert {index for index, p in enumerate(holm(p_values)) if p <= level} == rejected_at(level, p_values)


@given(p_values=p_value_lists)
def test_holm_lies_between_the_raw_p_and_bonferronis(p_values: list[float]) -> None:
    for raw, adjusted in zip(p_values, holm(p_values), strict=True):
        assert raw <= adjusted <= min(1.0, raw * len(p_values)) or adjusted == pytest.approx(raw)


@given(p_values=p_value_lists)
def test_the_order_of_the_tests_does_not_matter(p_values: list[float]) -> None:
    assert holm(p_values[::-1]) == holm(p_values)[::-1]


def test_p_values_outside_0_to_1_are_refused() -> None:
    with pytest.raises(InputError, match=r"lie in \[0, 1\]"):
        holm([0.5, float("nan")])


@pytest.mark.parametrize(
    ("difference", "p_holm", "expected"),
    [(0.05, 0.049, "better"), (-0.05, 0.049, "worse"), (0.05, 0.05, NO_EVIDENCE), (0.0, 1.0, NO_EVIDENCE)],
)
def test_a_verdict_is_the_sign_of_a_difference_whose_corrected_p_is_below_5_percent(
    difference: float, p_holm: float, expected: str
) -> None:
    assert verdict(difference, p_holm) == expected
