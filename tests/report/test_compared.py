"""A registration on the page: the difference first, its luck, and where the number is to go by."""

from pathlib import Path

from report_tree import compared_lock, write_lock

from fake_comparisons import compared
from fake_locks import fake_single_rate
from finetune_alf.paths import Paths
from finetune_alf.register.lock import LockDocument
from finetune_alf.report.compared import differences_in_short, differences_section, optimism_in_short
from finetune_alf.report.write import write_report

NO = "no evidence of a difference"


def luck(found: LockDocument, *, is_tested: bool = False) -> str:
    return " ".join(optimism_in_short("minilm", found, "films", is_tested=is_tested))


def test_the_luck_of_the_winner_is_taken_off_its_difference() -> None:
    line = luck(compared_lock(compared(0.03, verdict=NO), optimism=0.018))
    assert "about .018 too good in its confirmation" in line
    assert "Without that luck its difference from plain fine-tuning is +.012." in line


def test_a_test_score_is_the_number_to_go_by_where_the_transfer_has_one() -> None:
    found = compared_lock(compared(0.03, verdict=NO))
    assert "Go by its test score below." in luck(found, is_tested=True)
    assert "Go by a test score, once there is one: `finetune-alf transfer minilm films`" in luck(found)


def test_a_best_single_rate_that_is_the_baselines_is_one_comparison_not_two() -> None:
    found = compared_lock(compared(0.03, verdict=NO))
    assert found.references is not None
    there = found.references.model_copy(update={"single_rate": found.references.baseline})
    same = found.model_copy(update={"references": there, "single_rate": fake_single_rate({5e-6: 0.7, 5e-5: 0.8})})
    first, *_ = differences_in_short("minilm", same)
    assert "against plain fine-tuning (no evidence of a difference), which has the best single rate, 5e-5;" in first
    assert "It is the baseline's own rate" in differences_section(same).markdown
    assert "It is the baseline's own rate" not in differences_section(found).markdown


def test_single_rates_with_equal_means_are_named() -> None:
    found = compared_lock(compared(0.03, verdict=NO)).model_copy(
        update={"single_rate": fake_single_rate({5e-7: 0.6, 5e-6: 0.8, 5e-5: 0.8})}
    )
    assert "Of equal means the lowest rate counts: 5e-5 scored the same." in differences_section(found).markdown


def test_a_line_begins_with_the_difference_not_with_the_score() -> None:
    first, *_ = differences_in_short("minilm", compared_lock(compared(0.03, verdict=NO)))
    assert first.startswith(f"`alf-1` of `minilm`: **+.030 [-.010, +.070]** against plain fine-tuning ({NO})")
    assert first.index("+.030") < first.index("accuracy .800")


def test_a_schedule_that_was_not_registered_is_named_with_what_it_must_be() -> None:
    found = compared_lock(compared(0.03, verdict=NO)).model_copy(update={"require": "better", "schedules": {}})
    one, other = differences_in_short("minilm", found)
    for alias, line in (("alf-1", one), ("alf-2", other)):
        assert line.startswith(f"`{alias}` of `minilm` is not registered, since it must be better than plain")
        assert "+.030 [-.010, +.070]" in line


def test_a_page_without_a_registered_schedule_can_be_written(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_lock(paths, schedules={}, require="not_worse")
    page = write_report(paths).read_text("utf-8")
    assert "`alf-1` is not registered: it must be no worse than plain fine-tuning by more than .010" in page
    assert "Without that luck its difference from plain fine-tuning is -.002." in page
    assert "Go by a test score" not in page  # a transfer leaves it out


def test_a_lock_file_of_an_earlier_version_names_the_command_that_compares(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_lock(paths, references=None, single_rate=None, optimism=None, chosen={})
    page = write_report(paths).read_text("utf-8")
    assert "not compared with plain fine-tuning yet. Run `finetune-alf register minilm` again" in page
    assert "| `alf-1` |" in page
