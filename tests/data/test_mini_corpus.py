"""The reviews of the package are as described in the README."""

import importlib.resources
import json
import re
from collections import Counter
from itertools import pairwise

import pytest

from finetune_alf.data.mini_source import MiniRows
from finetune_alf.data.source_spec import MiniSource

DOMAINS = ("films", "restaurants", "gadgets", "travel")
RUN = 8


def reviews(domain: str) -> list[dict[str, str]]:
    folder = importlib.resources.files("finetune_alf.data") / "mini"
    return [json.loads(line) for line in (folder / f"{domain}.jsonl").read_text("utf-8").splitlines()]


def words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_has_at_least_200_reviews_half_of_them_positive(domain: str) -> None:
    counts = Counter(review["label"] for review in reviews(domain))
    assert counts.total() >= 200
    assert counts["positive"] == counts["negative"] == counts.total() / 2


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_review_has_10_to_60_words(domain: str) -> None:
    outside = [review["text"] for review in reviews(domain) if not 10 <= len(review["text"].split()) <= 60]
    assert outside == []


def test_no_two_reviews_share_eight_words_in_a_row() -> None:
    first_seen: dict[tuple[str, ...], str] = {}
    shared = []
    for domain in DOMAINS:
        for review in reviews(domain):
            spoken = words(review["text"])
            for run in {tuple(spoken[start : start + RUN]) for start in range(len(spoken) - RUN + 1)}:
                if run in first_seen:
                    shared.append((" ".join(run), first_seen[run], review["text"]))
                first_seen[run] = review["text"]
    assert shared == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_positive_and_negative_reviews_are_mixed_in_the_file(domain: str) -> None:
    labels = [review["label"] for review in reviews(domain)]
    assert sum(first != second for first, second in pairwise(labels)) >= 50


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_corpus_is_read_from_the_package(domain: str) -> None:
    rows = MiniRows(MiniSource(domain=domain)).rows()
    assert rows.label_names == ("negative", "positive")
    assert list(rows.splits["train"].texts) == [review["text"] for review in reviews(domain)]
