"""Drawing: balance, proportions, disjoint splits, exact counts, and the largest possible number in errors."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.data.draw import DrawnSplit, draw_splits
from finetune_alf.data.quotas import even_quotas, proportional_quotas
from finetune_alf.data.source_spec import MiniSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError

Labels = dict[str, list[str]]


def spec_of(n_train: int, n_validation: int, n_confirmation: int, n_test: int, **more: float) -> SampleSpec:
    counts = {"n_train": n_train, "n_validation": n_validation, "n_confirmation": n_confirmation, "n_test": n_test}
    return SampleSpec(source=MiniSource(domain="films"), **{"max_train_frac": 1.0, **counts, **more})


def draw(labels: Labels, spec: SampleSpec, kept: dict[str, list[int]] | None = None) -> dict[str, DrawnSplit]:
    everything = {name: list(range(len(given_labels))) for name, given_labels in labels.items()}
    names = sorted(set(labels["train"]))
    return draw_splits(labels, kept or everything, names, spec)


def blocks(**sizes: int) -> list[str]:
    return [label for label, size in sizes.items() for _ in range(size)]


@st.composite
def drawings(draw_from: st.DrawFn) -> tuple[Labels, dict[str, list[int]], SampleSpec]:
    """Source splits with enough rows for every split."""
    classes = [f"c{number}" for number in range(draw_from(st.integers(2, 4)))]
    sizes = [draw_from(st.integers(0, 12)) for _ in range(4)]
    given_splits = ["train", *draw_from(st.lists(st.sampled_from(["validation", "test"]), unique=True))]
    labels, kept = {}, {}
    for name in given_splits:
        per_class = [draw_from(st.integers(80, 90)) for _ in classes]
        rows = draw_from(st.permutations(blocks(**dict(zip(classes, per_class, strict=True)))))
        labels[name] = list(rows)
        dropped = set(draw_from(st.lists(st.integers(0, len(rows) - 1), max_size=8)))
        kept[name] = [index for index in range(len(rows)) if index not in dropped]
    return labels, kept, spec_of(max(sizes[0], len(classes)), *sizes[1:], seed=draw_from(st.integers(0, 2**31)))


@settings(max_examples=40, deadline=None)
@given(drawings())
def test_splits_have_exact_counts_and_no_common_row(
    drawing: tuple[Labels, dict[str, list[int]], SampleSpec],
) -> None:
    labels, kept, spec = drawing
    drawn = draw(labels, spec, kept)
    assert {name: len(split.indices) for name, split in drawn.items()} == {name: spec.n_of(name) for name in drawn}
    rows = [(split.source_split, index) for split in drawn.values() for index in split.indices]
    assert len(set(rows)) == len(rows)
    assert all(index in kept[given_split] for given_split, index in rows)
    assert draw(labels, spec, kept) == drawn


@settings(max_examples=40, deadline=None)
@given(drawings())
def test_all_splits_but_test_are_balanced_and_test_has_the_proportions_of_its_source(
    drawing: tuple[Labels, dict[str, list[int]], SampleSpec],
) -> None:
    labels, kept, spec = drawing
    for name, split in draw(labels, spec, kept).items():
        counts = Counter(labels[split.source_split][index] for index in split.indices)
        shares = Counter(labels[split.source_split][index] for index in kept[split.source_split])
        for label, share in shares.items():
            if name == "test":
                assert abs(counts[label] - spec.n_test * share / shares.total()) < 1
            else:
                assert abs(counts[label] - spec.n_of(name) / len(shares)) < 1


@given(st.integers(0, 500), st.lists(st.integers(0, 1000), min_size=2, max_size=6).filter(any))
def test_quotas_add_up_to_the_number(n: int, sizes: list[int]) -> None:
    assert sum(even_quotas(n, len(sizes))) == sum(proportional_quotas(n, sizes)) == n
    assert all(
        quota <= n * size / sum(sizes) + 1 for quota, size in zip(proportional_quotas(n, sizes), sizes, strict=True)
    )


def test_another_seed_draws_other_rows() -> None:
    labels = {"train": blocks(neg=200, pos=200)}
    assert draw(labels, spec_of(20, 0, 0, 0, seed=1)) != draw(labels, spec_of(20, 0, 0, 0, seed=2))


def test_another_n_test_does_not_change_the_training_rows() -> None:
    labels = {"train": blocks(neg=200, pos=200)}
    assert draw(labels, spec_of(20, 10, 10, 10))["train"] == draw(labels, spec_of(20, 30, 10, 100))["train"]


@pytest.mark.parametrize(
    ("given_splits", "drawn_from"),
    [
        (("train",), ("train", "train", "train", "train")),
        (("train", "validation"), ("train", "validation", "validation", "validation")),
        (("train", "test"), ("train", "train", "train", "test")),
        (("train", "validation", "test"), ("train", "validation", "validation", "test")),
    ],
)
def test_a_split_of_the_source_is_used_and_the_others_are_drawn_from_the_rest(
    given_splits: tuple[str, ...], drawn_from: tuple[str, ...]
) -> None:
    drawn = draw({name: blocks(neg=50, pos=50) for name in given_splits}, spec_of(10, 10, 10, 10))
    assert tuple(split.source_split for split in drawn.values()) == drawn_from


def test_confirmation_is_drawn_from_train_where_validation_has_too_few_rows() -> None:
    labels = {"train": blocks(neg=50, pos=50), "validation": blocks(neg=12, pos=12), "test": blocks(neg=9, pos=9)}
    drawn = draw(labels, spec_of(10, 20, 10, 10))
    assert (drawn["validation"].source_split, drawn["confirmation"].source_split) == ("validation", "train")


def test_the_test_split_has_the_proportions_of_its_source() -> None:
    labels = {"train": blocks(neg=100, pos=100), "test": blocks(neg=190, pos=810)}
    drawn = draw(labels, spec_of(10, 10, 10, 500))
    assert Counter(labels["test"][index] for index in drawn["test"].indices) == {"neg": 95, "pos": 405}


def test_an_odd_number_gives_the_first_class_one_more() -> None:
    labels = {"train": blocks(neg=20, pos=20)}
    drawn = draw(labels, spec_of(5, 0, 0, 0))
    assert Counter(labels["train"][index] for index in drawn["train"].indices) == {"neg": 3, "pos": 2}


@pytest.mark.parametrize(
    ("labels", "spec", "message"),
    [
        (
            {"train": blocks(neg=140, pos=140)},
            spec_of(64, 10, 10, 10, max_train_frac=0.1),
            r"n_train: must be at most 28, max_train_frac \(0\.1\), the largest part that may be trained on, of the "
            r"280 rows, but got 64\. "
            r"Set it to 28, or max_train_frac to 0\.229\.",
        ),
        (
            {"train": blocks(neg=10, pos=100)},
            spec_of(40, 0, 0, 0),
            r"n_train: must be at most 20, by the remaining texts \(train: 10 neg, 100 pos\), but got 40",
        ),
        (
            {"train": blocks(neg=50, pos=50), "validation": blocks(neg=5, pos=50)},
            spec_of(10, 40, 0, 0),
            r"n_validation: must be at most 10, by the remaining texts \(validation: 5 neg, 50 pos\), but got 40",
        ),
        (
            {"train": blocks(neg=50, pos=50)},
            spec_of(20, 20, 20, 10**12),
            r"n_test: must be at most 40, by the remaining texts \(train: 20 neg, 20 pos\), but got 1000000000000",
        ),
        ({"train": blocks(a=9, b=9, c=9)}, spec_of(2, 0, 0, 0), r"n_train: must be at least 3, one row a class"),
    ],
)
def test_too_few_rows_is_an_error_with_the_largest_possible_number(
    labels: Labels, spec: SampleSpec, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        draw(labels, spec)


def test_a_split_with_a_file_of_its_own_is_lowered_alone() -> None:
    labels = {name: blocks(neg=50, pos=50) for name in ("train", "validation", "test")}
    with pytest.raises(DataError, match=r"but got 120\. Lower it, or add rows"):
        draw(labels, spec_of(20, 20, 0, 120))
    with pytest.raises(DataError, match=r"n_train: \d+, n_confirmation: \d+\. Lower them, or add rows"):
        draw(
            {"train": labels["train"]} | {name: blocks(neg=9, pos=9) for name in ("validation", "test")},
            spec_of(90, 18, 60, 18),
        )


def test_the_number_in_the_message_is_possible() -> None:
    assert draw({"train": blocks(neg=140, pos=140)}, spec_of(28, 10, 10, 10, max_train_frac=0.1))
    assert draw({"train": blocks(neg=140, pos=140)}, spec_of(64, 10, 10, 10, max_train_frac=0.229))
    assert draw({"train": blocks(neg=10, pos=100)}, spec_of(20, 0, 0, 0))


def natural(n_train: object, *numbers: object, **more: object) -> SampleSpec:
    names = ("n_validation", "n_confirmation", "n_test")
    spec = {"max_train_frac": 1.0, "balance": "natural", "n_train": n_train, **dict(zip(names, numbers, strict=True))}
    return SampleSpec(source=MiniSource(domain="films"), **(spec | more))


@settings(max_examples=40, deadline=None)
@given(drawings())
def test_natural_splits_have_the_proportions_of_their_source(
    drawing: tuple[Labels, dict[str, list[int]], SampleSpec],
) -> None:
    labels, kept, even = drawing
    spec = even.model_copy(update={"balance": "natural"})
    for name, split in draw(labels, spec, kept).items():
        counts = Counter(labels[split.source_split][index] for index in split.indices)
        shares = Counter(labels[split.source_split][index] for index in kept[split.source_split])
        for label, share in shares.items():
            assert abs(counts[label] - spec.n_of(name) * share / shares.total()) < 1


def test_all_is_every_remaining_row_and_does_not_change_the_other_splits() -> None:
    labels = {"train": blocks(neg=30, pos=70)}
    drawn = draw(labels, natural("all", 10, 10, 20))
    rows = [index for split in drawn.values() for index in split.indices]
    assert sorted(rows) == list(range(100))
    assert len(drawn["train"].indices) == 60
    fewer = draw(labels, natural("all", 10, 10, 0))
    assert drawn["validation"] == fewer["validation"]


def test_all_of_a_source_split_does_not_depend_on_the_others() -> None:
    labels = {"train": blocks(neg=30, pos=70), "validation": blocks(neg=10, pos=20), "test": blocks(neg=5, pos=9)}
    drawn = draw(labels, natural("all", 20, "all", "all"))
    assert {name: (split.source_split, len(split.indices)) for name, split in drawn.items()} == {
        "train": ("train", 100),
        "validation": ("validation", 20),
        "confirmation": ("validation", 10),
        "test": ("test", 14),
    }


def test_test_can_be_all_where_the_others_are_even() -> None:
    spec = natural(20, 10, 10, "all", balance="even")
    assert len(draw({"train": blocks(neg=40, pos=70)}, spec)["test"].indices) == 70


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"balance": "even"}, r"n_train: must be a number where balance is even, but got all; set balance to"),
        ({"max_train_frac": 0.1}, r"max_train_frac: must be 1 where n_train is all, but got 0\.1; set it to 1"),
        ({"n_test": "most"}, r"'all'"),
    ],
)
def test_an_impossible_all_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        natural("all", 10, 10, 20, **change)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (natural("all", "all", 5, 5), r"n_validation: must leave at least one row where it is all"),
        (
            natural(5, 0, 0, 0),
            r"n_train: must give a row of each class, but 5 .* none of rare.* set balance to even",
        ),
    ],
)
def test_no_row_for_all_or_for_a_rare_class_is_an_error(spec: SampleSpec, message: str) -> None:
    with pytest.raises(DataError, match=message):
        draw({"train": blocks(common=98, rare=2)}, spec)
