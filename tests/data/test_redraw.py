"""Drawing a sample anew: balance, disjoint and nested splits, a fixed test split, errors with the largest number."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_rows import MemoryRows

from finetune_alf.data.prepare import draw_sample
from finetune_alf.data.redraw import POOL, redraw
from finetune_alf.data.sample import SPLITS, Sample, load_sample, save_sample
from finetune_alf.data.source_spec import FilesSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError


def sample_of(n_classes: int = 2, n_each: int = 40, problem_type: str = "classification") -> Sample:
    """A sample with `n_each` rows of each class outside of the test split, and 10 rows in it."""
    labels = ["a", "b", "c"][:n_classes] if problem_type == "classification" else [0.5, 1.5]
    n_pool = n_each * len(labels)
    rows = {
        "train": [(f"{label} {index}", label) for index in range(n_each) for label in labels],
        "test": [(f"test {index}", labels[index % len(labels)]) for index in range(10)],
    }
    spec = SampleSpec(
        source=FilesSource(train="a.csv", text="text", label="label"),
        problem_type=problem_type,
        n_train=n_pool // 2 // len(labels) * len(labels),
        n_validation=n_pool - n_pool // 2 // len(labels) * len(labels),
        n_confirmation=0,
        n_test=10,
        max_train_frac=1.0,
    )
    return draw_sample("drawn", spec, MemoryRows(rows, problem_type).rows())


def texts(sample: Sample, *splits: str) -> list:
    return [text for split in splits for text in sample.splits[split].texts]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 3), st.integers(3, 40), st.integers(0, 30), st.integers(0, 30), st.integers(0, 2**31))
def test_every_split_is_balanced_and_no_two_share_a_row(n_classes, n_train, n_validation, n_confirmation, seed):
    sample = sample_of(n_classes)
    if n_train + n_validation + n_confirmation > n_classes * 40:
        n_train = 3
    drawn = redraw(sample, n_train, n_validation, n_confirmation, seed)
    sizes = {"train": n_train, "validation": n_validation, "confirmation": n_confirmation, "test": 10}
    assert {split: len(part.texts) for split, part in drawn.splits.items()} == sizes
    everything = texts(drawn, *SPLITS)
    assert len(set(everything)) == len(everything)
    assert set(texts(drawn, *POOL)) <= set(texts(sample, *POOL))
    for split in POOL:
        counts = Counter(drawn.splits[split].labels)
        per_class = [counts[index] for index in range(n_classes)]
        assert max(per_class) - min(per_class) <= 1
        assert list(drawn.card.counts[split].values()) == per_class


def test_each_text_keeps_its_label_and_the_test_split_its_rows():
    sample = sample_of()
    drawn = redraw(sample, 20, 20, 20, 1)
    assert drawn.splits["test"] == sample.splits["test"]
    for split in POOL:
        part = drawn.splits[split]
        assert [text.split()[0] for text in part.texts] == [drawn.card.label_names[label] for label in part.labels]


def test_training_draws_are_nested_and_the_other_splits_stay():
    drawn = {n: redraw(sample_of(), n, 20, 11, 5) for n in (2, 7, 8, 32, 49)}
    largest = texts(drawn[49], "train")
    for n, each in drawn.items():
        assert texts(each, "train") == largest[:n]
        assert texts(each, "validation") == texts(drawn[2], "validation")
        assert texts(each, "confirmation") == texts(drawn[2], "confirmation")


def test_a_seed_gives_one_draw_and_another_seed_another(tmp_path):
    sample = sample_of()
    first, again, other = redraw(sample, 10, 10, 10, 1), redraw(sample, 10, 10, 10, 1), redraw(sample, 10, 10, 10, 2)
    assert first == again
    assert first.card.digest != other.card.digest
    assert set(texts(first, "train")) != set(texts(other, "train"))
    save_sample(tmp_path / "drawn", first)
    assert load_sample(tmp_path / "drawn") == first


def test_all_rows_outside_of_the_test_split_can_be_drawn():
    sample = sample_of()
    assert set(texts(redraw(sample, 60, 20, 0, 1), *POOL)) == set(texts(sample, *POOL))


def test_scores_are_drawn_as_one_class():
    drawn = redraw(sample_of(problem_type="regression"), 33, 20, 20, 1)
    assert drawn.card.counts["train"] == {"rows": 33}
    assert {0.5, 1.5} == set(drawn.splits["train"].labels)


def test_too_few_rows_are_an_error_with_the_largest_number():
    assert redraw(sample_of(), 40, 30, 10, 1).card.counts["train"] == {"a": 20, "b": 20}
    with pytest.raises(DataError, match=r"must be at most 80 of sample drawn, .*\(40 a, 40 b\), but got 81"):
        redraw(sample_of(), 41, 30, 10, 1)
    with pytest.raises(DataError, match="n_train: must be at least 2, one row a class, but got 1"):
        redraw(sample_of(), 1, 30, 10, 1)
