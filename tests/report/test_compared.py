"""What the page says of a registration: the difference first, what to use, and where the number is to go by."""

from pathlib import Path

import pytest
from report_tree import rates_of, write_lock

from fake_comparisons import compared
from fake_locks import fake_candidate, fake_lock
from finetune_alf.comparison import ComparedDifference
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.register.compare import References
from finetune_alf.register.lock import LockDocument
from finetune_alf.report.compared import advice, differences_in_short
from finetune_alf.report.write import write_report

NO = "no evidence of a difference"


def lock(
    from_baseline: ComparedDifference | None, from_single_rate: float = 0.05, optimism: float = 0.01
) -> LockDocument:
    candidates = [
        fake_candidate(
            number,
            LayerRates(rates_of(number)),
            (0.8, 0.8),
            from_baseline=from_baseline,
            from_single_rate=compared(from_single_rate),
        )
        for number in (3, 4)
    ]
    return fake_lock("minilm", candidates, optimism=optimism)


@pytest.mark.parametrize(
    ("mean", "verdict", "from_single_rate", "expected"),
    [
        (-0.04, "worse", 0.05, "Plain fine-tuning is better: use that."),
        (-0.01, NO, 0.05, "Plain fine-tuning does as well: use that."),
        (0.009, NO, 0.05, "Plain fine-tuning does as well: use that."),  # all of it is luck
        (0.03, NO, 0.05, "This does not show that `alf-1` is better than plain fine-tuning."),
        (0.03, "better", 0.05, "`alf-1` is better than plain fine-tuning."),
        (0.03, "better", -0.01, "One rate for all layers, 5e-6, does as well: use that."),
    ],
)
def test_it_says_what_to_use(mean: float, verdict: str, from_single_rate: float, expected: str) -> None:
    said = advice("minilm", lock(compared(mean, verdict=verdict), from_single_rate))
    assert f"**{expected}**" in said
    assert "The number to go by is its test score on the sample that was searched" in said


def test_the_luck_of_the_winner_is_taken_off_its_difference() -> None:
    said = advice("minilm", lock(compared(0.03, verdict=NO), optimism=0.018))
    assert "about .018 too good; less that, it is +.012 against plain fine-tuning" in said


def test_a_line_begins_with_the_difference_not_with_the_score() -> None:
    first, *_ = differences_in_short("minilm", lock(compared(0.03, verdict=NO)))
    assert first.startswith(f"`alf-1` of `minilm`: **+.030 [-.010, +.070]** against plain fine-tuning ({NO})")
    assert first.index("+.030") < first.index("accuracy .800")


def test_a_schedule_that_was_not_registered_is_named_with_what_it_must_be() -> None:
    found = lock(compared(0.03, verdict=NO)).model_copy(update={"require": "better", "schedules": {}})
    one, other, _ = differences_in_short("minilm", found)
    for alias, line in (("alf-1", one), ("alf-2", other)):
        assert line.startswith(f"`{alias}` of `minilm` is not registered, since it must be better than plain")
        assert "+.030 [-.010, +.070]" in line


def test_a_page_without_a_registered_schedule_can_be_written(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_lock(paths, schedules={}, require="not_worse")
    page = write_report(paths).read_text("utf-8")
    assert "`alf-1` is not registered: it must be no worse than plain fine-tuning by more than .010" in page


def test_a_baseline_that_diverged_is_said() -> None:
    found = lock(None)
    there = References(baseline=None, single_rate=found.references.single_rate if found.references else None)
    assert "plain fine-tuning diverged" in advice("minilm", found.model_copy(update={"references": there}))


def test_a_lock_file_of_an_earlier_version_names_the_command_that_compares(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_lock(paths, references=None, single_rate=None, optimism=None, chosen={})
    page = write_report(paths).read_text("utf-8")
    assert "not compared with plain fine-tuning yet. Run `finetune-alf register minilm` again" in page
    assert "| `alf-1` |" in page
