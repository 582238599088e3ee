"""Each published number is in one file of the package, so that it can be checked and mended there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import finetune_alf
from finetune_alf.experiments.freeze.published import IMPROVEMENT, POINTS
from finetune_alf.experiments.multitask.published import PUBLISHED
from finetune_alf.schedules.published import published_accuracies

PACKAGE = Path(finetune_alf.__file__).parent
SOURCES = {
    str(path.relative_to(PACKAGE)): path.read_text("utf-8")
    for path in PACKAGE.rglob("*")
    if path.suffix in (".py", ".json", ".yaml") and "mini" not in path.parts
}
THESIS, MINBERT, ELSA = (
    "schedules/thesis/accuracies.json",
    "experiments/multitask/published.py",
    "experiments/freeze/published.py",
)
CLAIMS = {
    "97 %": MINBERT,
    "52 %": MINBERT,
    "10 percent": MINBERT,
    "0.64": ELSA,
    "BERT-large and RoBERTa-large": ELSA,
    "(8, 11, 5)": "schedules/published.py",
}


def long_numbers() -> Iterator[tuple[str, str]]:
    """Published scores of four digits or more, which do not occur by chance, and their file."""
    for value in {row.accuracy for row in published_accuracies()}:
        yield repr(value), THESIS
    for value in {own for row in PUBLISHED.values() for own in (row.overall, row.sst5, row.quora, row.sts)}:
        yield repr(value), MINBERT


@pytest.mark.parametrize(
    ("text", "home"),
    [*CLAIMS.items(), *sorted(pair for pair in long_numbers() if len(pair[0]) >= len("0.1234"))],
)
def test_a_published_number_is_in_its_own_file_alone(text: str, home: str) -> None:
    pattern = re.compile(re.escape(text.removeprefix("0")) + r"(?!\d)")
    assert [name for name, source in SOURCES.items() if pattern.search(source)] == [home]


def test_the_claims_are_those_that_pages_take_from_the_records() -> None:
    assert [point.layers for point in POINTS] == ["3 to 5 of 12", "6 of 24", "7 of 24"]
    assert (IMPROVEMENT.least, IMPROVEMENT.most, IMPROVEMENT.n_layers) == (12, 16, 24)
