"""Guesses about a table, on planted tables."""

from collections.abc import Callable

import pytest

from finetune_alf.errors import InputError
from finetune_alf.starting.columns import guess_label, guess_text
from finetune_alf.starting.profile import BYTES_A_VALUE, MAX_COUNTED_BYTES, profile_of
from finetune_alf.starting.task import guess_task

WORDS = ["warm", "soup", "and", "a", "kind", "waiter", "but", "nobody", "seemed", "to", "notice"]


def table(n=60, **columns):
    """Columns given as functions of the row's number."""
    return profile_of(list(columns), ([make(row) for make in columns.values()] for row in range(n)))


def text(row):
    return f"{row} {' '.join(WORDS[row % 5 :])}"


def test_a_profile_counts_what_a_column_holds() -> None:
    columns = profile_of(["a", "b"], [("1", None), ("2.5", "x y"), (" 1 ", ""), (True, "z")]).columns
    a, b = columns["a"], columns["b"]
    assert (a.n_rows, a.n_empty, a.n_different, a.n_numbers, a.n_whole) == (4, 0, 3, 3, 2)
    assert (b.n_values, b.n_empty, b.mean_words) == (2, 2, 1.5)
    assert a.counts == {"1": 2, "2.5": 1, "True": 1}
    n = MAX_COUNTED_BYTES // BYTES_A_VALUE
    many = table(n, id=str).columns["id"]
    assert (many.counts, many.n_different) == (None, n)


def test_a_usual_column_of_labels_with_empty_cells_is_not_passed_over_in_silence() -> None:
    kinds = {"text": text, "product": lambda row: f"kind {row % 4}"}
    with pytest.raises(
        InputError, match=r"label: column 'label' has a usual name, and is empty in all 60 rows\. Fill it"
    ):
        guess_label(table(**kinds, label=lambda row: ""), "text")
    some = guess_label(table(**kinds, label=lambda row: "" if row < 7 else f"class {row % 2}"), "text")
    assert some.value == "product"
    assert some.seen.endswith("; 'label' is empty in 7 rows: --label takes it")


def test_the_text_is_the_column_of_most_words_or_one_of_the_usual_names() -> None:
    columns = {"id": str, "title": lambda row: f"title {row}", "opinion": text, "stars": lambda row: str(row % 5)}
    guess = guess_text(table(**columns))
    assert (guess.value, guess.seen) == ("opinion", "10 words on average, 60 different texts")
    assert guess_text(table(summary=text, Text=lambda row: f"short {row}")).value == "Text"
    assert guess_text(table(premise=text, hypothesis=text, label=lambda row: row % 3)).value == (
        "premise",
        "hypothesis",
    )


def test_a_table_without_texts_or_without_labels_is_refused_with_the_columns_that_it_has() -> None:
    with pytest.raises(InputError, match=r"none of 'id', 'stars' holds any. Name it: --text COLUMN"):
        guess_text(table(id=str, stars=lambda row: str(row % 5)))
    with pytest.raises(InputError, match=r"no other column of 'id', 'review' is one. Name it: --label COLUMN"):
        guess_label(table(id=str, review=text), "review")


def test_the_label_has_few_values_and_others_that_could_be_are_named() -> None:
    found = table(review=text, id=str, shop=lambda row: f"shop {row % 4}", verdict=lambda row: "yn"[row % 2])
    guess = guess_label(found, "review")
    assert guess.value == "verdict"
    assert guess.seen == "2 different values in 60 rows; 'shop' could be labels as well: name one with --label"
    by_name = table(review=text, sure=lambda row: row % 2, Label=lambda row: f"kind {row % 6}")
    assert guess_label(by_name, "review").value == "Label"
    assert (
        guess_label(table(review=text, score=lambda row: f"{row}.5", sure=lambda row: row % 2), "review").value
        == "score"
    )


def test_dates_are_no_classes_and_ids_come_after_what_may_be_a_label() -> None:
    def day(row: int) -> str:
        return f"{row % 3 + 1:02d}.03.2023"

    shops = {"store_id": lambda row: row % 3, "outcome": lambda row: "abcd"[row % 4]}
    guess = guess_label(table(review=text, day=day, **shops), "review")
    assert guess.value == "outcome"
    assert guess.seen == "4 different values in 60 rows; 'store_id' could be labels as well: name one with --label"
    assert guess_label(table(review=text, **{"store_id": shops["store_id"]}), "review").value == "store_id"
    with pytest.raises(InputError, match="no other column"):
        guess_label(table(review=text, day=day), "review")
    times = table(120, review=lambda row: f"short {row}", when=lambda row: f"2023/01/01 10:{row:02d} in the morning")
    assert guess_text(times).value == "review"


def test_other_columns_of_texts_are_named_with_the_words_that_join_them() -> None:
    found = table(
        80, title=lambda row: f"a fine meal {row}", **{"the pros": text}, kind=lambda row: f"one of {row % 5}"
    )
    guess = guess_text(found)
    assert guess.value == "the pros"
    assert guess.seen.endswith(
        "; 'title' holds texts as well: --text title --text 'the pros' --join takes all as one text, "
        "and without --join as a pair"
    )


def test_numbers_with_a_decimal_comma_are_scores() -> None:
    task = guess_task(table(score=lambda row: f"{row % 5},5").columns["score"])
    assert (task.value, task.seen) == ("regression", "numbers with fractions and a decimal comma, 5 different ones")
    assert guess_task(table(stars=lambda row: f"{row % 5},0").columns["stars"]).value == "classification"
    assert guess_label(table(80, review=text, score=lambda row: f"{row},25"), "review").value == "score"


@pytest.mark.parametrize("write", [lambda row: f"{row + 1},250", lambda row: f"{row % 5},5.0", lambda row: f"v{row},5"])
def test_thousands_and_versions_are_no_numbers_with_a_decimal_comma(write: Callable[[int], str]) -> None:
    assert guess_task(table(label=write).columns["label"]).value == "classification"


def test_why_a_column_of_a_usual_name_or_a_table_of_one_column_has_no_label_is_told() -> None:
    with pytest.raises(InputError, match=r"'label' has a usual name, but 1 different value in 60 rows\."):
        guess_label(table(text=text, label=lambda row: "good"), "text")
    with pytest.raises(InputError, match=r"'Label ' has a usual name, but 70 different values in 70 rows\."):
        guess_label(table(70, text=text, **{"Label ": lambda row: f"{row} of 70"}), "text")
    with pytest.raises(InputError, match=r"'quarter' has 1 different value in 60 rows\."):
        guess_label(table(text=text, quarter=lambda row: "good"), "text")
    with pytest.raises(InputError, match="It is the only column; lines of text need a comma"):
        guess_label(table(**{"neg some words": text}), "neg some words")


def test_lists_that_are_written_as_text_are_refused_with_the_way_to_several_classes() -> None:
    lists = table(tags=lambda row: ("['a', 'b']", "['a']", "[]")[row % 3]).columns["tags"]
    with pytest.raises(InputError, match=r"has lists as text, such as \['a', 'b'\].*`frame\['tags'\]\.str\.join"):
        guess_task(lists)


def test_objects_are_no_texts() -> None:
    found = table(meta=lambda row: {"en": text(row)}, said=lambda row: f"short {row}")
    assert guess_text(found).value == "said"


def test_a_column_with_gaps_is_taken_where_no_other_can_be_the_label() -> None:
    gaps = table(review=text, id=str, verdict=lambda row: "" if row < 7 else "yn"[row % 2])
    guess = guess_label(gaps, "review")
    assert (guess.value, guess.seen) == ("verdict", "2 different values in 60 rows, 7 of them empty")


def test_a_score_of_a_usual_name_with_gaps_or_with_spaces_around_its_name_is_the_label() -> None:
    def score(row: int) -> str:
        return f"{row / 7:.2f}"

    whole = guess_label(table(text=text, **{" score": score}), "text")
    assert (whole.value, whole.seen) == (" score", "60 different values in 60 rows")
    gaps = guess_label(table(text=text, score=lambda row: "" if row < 2 else score(row)), "text")
    assert (gaps.value, gaps.seen) == ("score", "58 different values in 60 rows, 2 of them empty")


def test_a_column_with_gaps_is_no_label_unless_it_is_named() -> None:
    gaps = table(review=text, verdict=lambda row: "" if row == 7 else "yn"[row % 2], kind=lambda row: row % 6)
    assert guess_label(gaps, "review").value == "kind"
    assert guess_label(gaps, "review", "verdict").value == "verdict"


def test_names_of_columns_are_checked() -> None:
    found = table(review=text, verdict=lambda row: "yn"[row % 2])
    assert guess_text(found, ["verdict"]).value == "verdict"
    for guess in (lambda: guess_text(found, ["opinion"]), lambda: guess_label(found, "review", "opinion")):
        with pytest.raises(
            InputError, match=r"must name a column of the table, but got 'opinion'. There are: 'review'"
        ):
            guess()
    with pytest.raises(InputError, match="must be another column than the text"):
        guess_label(found, "review", "review")


@pytest.mark.parametrize(
    ("label", "task"),
    [
        (lambda row: "yn"[row % 2], "classification"),
        (lambda row: row % 2, "classification"),
        (lambda row: f"{row % 2}.0", "classification"),
        (lambda row: row % 5 + 1, "classification"),
        (lambda row: row % 5 + 0.5, "regression"),
        (lambda row: row % 30, "regression"),
        (lambda row: f"kind {row % 30}", "classification"),
    ],
)
def test_whole_numbers_are_classes_up_to_twenty_and_fractions_a_score(label, task) -> None:
    assert guess_task(table(label=label).columns["label"]).value == task
