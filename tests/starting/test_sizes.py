"""Guesses about sizes, balance, metric and length, from the rows of each class."""

import pytest

from finetune_alf.data.draw import draw_splits
from finetune_alf.data.source_spec import FilesSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import InputError
from finetune_alf.starting.sizes import (
    coarse_note,
    guess_balance,
    guess_max_tokens,
    guess_metric,
    guess_sizes,
    rare_classes,
)

COUNTS = [
    {"a": 300, "b": 300},
    {"a": 301, "b": 200, "c": 250},
    {"a": 113, "b": 113},
    {"a": 94, "b": 54, "c": 54},
    {"a": 900, "b": 100},
    {"a": 500, "b": 40, "c": 5},
    {"rows": 601},
    {"a": 100_000, "b": 90_000},
]


@pytest.mark.parametrize("counts", COUNTS)
def test_sizes_can_be_drawn(counts: dict[str, int]) -> None:
    balance = guess_balance(counts).value
    sizes = guess_sizes(counts, balance).value
    labels = [name for name, n in counts.items() for _ in range(n)]
    spec = SampleSpec(
        source=FilesSource(train="x.csv", text="x", label="y"),
        n_train=sizes.n_train,
        n_validation=sizes.n_validation,
        n_confirmation=sizes.n_confirmation,
        n_test=sizes.n_test,
        balance=balance,
        max_train_frac=1,
    )
    drawn = draw_splits({"train": labels}, {"train": range(len(labels))}, list(counts), spec)
    assert [len(part.indices) for part in drawn.values()] == [
        sizes.n_train,
        sizes.n_validation,
        sizes.n_confirmation,
        sizes.n_test,
    ]


def test_sizes_are_shares_of_the_rows_up_to_a_limit() -> None:
    assert guess_sizes({"a": 200, "b": 200}, "even").value.described() == (
        "160 to train, 80 to choose, 80 to confirm, 80 to test"
    )
    uneven = guess_sizes({"a": 244, "b": 339}, "even").value.described()  # 488 can be drawn; more of b are in the test
    assert uneven == "195 to train, 97 to choose, 97 to confirm, 97 to test"
    most = guess_sizes({"a": 5000, "b": 5000}, "even").value
    assert (most.n_train, most.n_validation, most.n_confirmation, most.n_test) == (200, 300, 300, 800)


def test_rows_in_no_split_have_a_reason_and_what_would_use_them() -> None:
    assert not list(guess_sizes({"a": 200, "b": 200}, "even").value.reasons_unused())
    capped = guess_sizes({"a": 301, "b": 299}, "even").value
    assert capped.n_unused == 43
    uneven, limit, rest = capped.reasons_unused()
    assert uneven.startswith("2 of larger classes, since an even draw takes as many of each class")
    assert "set `balance: natural` and raise the sizes" in uneven
    assert limit == "39 so that a search takes minutes (n_train can be up to 239)"
    assert rest == "2 by rounding"
    cut = capped.without_training_rows(100)
    assert (cut.n_train, cut.n_unused) == (100, 143)
    assert "100 to fit the budget (a larger --budget takes them)" in list(cut.reasons_unused())


@pytest.mark.parametrize("counts", COUNTS)
def test_the_reasons_add_up_and_sizes_can_be_as_large_as_they_say(counts: dict[str, int]) -> None:
    balance = guess_balance(counts).value
    sizes = guess_sizes(counts, balance).value
    assert sum(int(reason.split()[0]) for reason in sizes.reasons_unused()) == sizes.n_unused
    numbers = {f"n_{split}": n for split, n in sizes.largest.items()}
    source = FilesSource(train="x.csv", text="x", label="y")
    labels = [name for name, n in counts.items() for _ in range(n)]
    spec = SampleSpec(source=source, balance=balance, max_train_frac=1, **numbers)
    drawn = draw_splits({"train": labels}, {"train": range(len(labels))}, list(counts), spec)
    assert {split: len(part.indices) for split, part in drawn.items()} == sizes.largest


def test_too_few_rows_of_a_class_or_of_all_are_refused() -> None:
    assert rare_classes({"a": 50, "b": 5, "c": 4, "d": 1}) == ("c", "d")
    with pytest.raises(InputError, match="fewer rows of 'c', 'd'"):
        rare_classes({"a": 50, "c": 4, "d": 1})
    with pytest.raises(InputError, match="at least 40 different texts with labels, but got 38"):
        guess_sizes({"a": 19, "b": 19}, "even")


def test_uneven_classes_keep_their_proportions_and_count_the_same() -> None:
    assert guess_balance({"a": 300, "b": 200}).value == "even"
    uneven = guess_balance({"a": 301, "b": 200})
    assert (uneven.value, uneven.seen) == ("natural", "the smallest class has 200 rows, the largest 301")
    assert guess_metric("classification", "natural").value == "balanced_accuracy"
    assert guess_metric("classification", "even").value == "accuracy"
    assert guess_metric("regression", "even").value == "pearson"


@pytest.mark.parametrize(
    ("counts", "note"),
    [
        (
            {"a": 120, "b": 90, "rare, or so": 7},
            "1 of the 43 texts to choose by is of class 'rare, or so': each is worth 33%",
        ),
        ({"a": 120, "b": 40}, "8 of the 32 texts to choose by are of class 'b': each is worth 6% of a score"),
        ({"a": 120, "b": 60}, ""),  # 12 of 36: 4%
        ({"a": 60, "b": 60}, ""),
    ],
)
def test_a_text_that_is_worth_much_of_a_score_is_told(counts: dict[str, int], note: str) -> None:
    balance = guess_balance(counts).value
    found = coarse_note(guess_sizes(counts, balance).value, counts)
    assert found.startswith(note)
    assert bool(found) == bool(note)


def test_texts_are_cut_where_nine_in_ten_are_whole() -> None:
    lengths = [*range(10, 100), *[400] * 10]
    guess = guess_max_tokens(lengths, 512)
    assert (guess.value, guess.seen) == (512, "0% of the texts are longer; half have at most 60 tokens")
    assert guess_max_tokens([*range(10, 100), *[400] * 9], 512).value == 128
    assert guess_max_tokens([*range(10, 90), *[400] * 5], 512).value == 96
    assert guess_max_tokens(lengths, 128).value == 128
    assert guess_max_tokens(lengths, 100).value == 100


def test_how_many_texts_are_cut_is_told_as_their_share_and_what_more_tokens_cost() -> None:
    few = guess_max_tokens([*range(10, 100), *[400] * 5], 512)
    assert few.seen == "8% of the texts are longer and are cut there; half have at most 57 tokens"
    most = guess_max_tokens([50, *[92] * 49], 64)
    assert (most.value, most.seen) == (
        64,
        "98% of the texts are longer and are cut there: half have 92 tokens or more; a higher number, up to the "
        "encoder's limit, takes more time",
    )


def test_texts_that_are_longer_than_the_encoder_takes_are_counted_as_cut() -> None:
    found = guess_max_tokens([20, 513, 513, 513], 512, 512)
    seen = "75% of the texts are longer and are cut there: half have 513 tokens or more; the encoder takes no more"
    assert (found.value, found.seen) == (512, seen)
