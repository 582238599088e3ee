"""The report on a small tree of results: its cells come from the records, and it says no more than they do."""

import re
from pathlib import Path

import pytest
from report_tree import (
    rates_of,
    trial,
    write_everything,
    write_importance,
    write_lock,
    write_study,
    write_transfer,
)

from finetune_alf.errors import InputError
from finetune_alf.files import read_json, read_jsonl, write_json, write_jsonl
from finetune_alf.paths import Paths
from finetune_alf.report.numbers import rate
from finetune_alf.report.write import write_report


def tables(text: str) -> list[list[list[str]]]:
    """Return every table as rows of cells, header first."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("| ")]
    return [
        [re.split(r" (?<!\\)\| ", line[2:-2]) for line in lines if not line.startswith("| ---")] for lines in blocks
    ]


def the_table(text: str, *header: str) -> dict[str, list[str]]:
    """Return the rows, by first cell, of the one table whose header begins so."""
    (found,) = [table for table in tables(text) if tuple(table[0][: len(header)]) == header]
    return {row[0].strip("`"): row[1:] for row in found[1:]}


def report(paths: Paths) -> str:
    return write_report(paths).read_text("utf-8")


def test_every_table_row_has_a_cell_for_each_column(text: str) -> None:
    assert len(tables(text)) == 8
    for table in tables(text):
        assert {len(row) for row in table} == {len(table[0])}


def test_what_was_run_names_encoder_sample_recipe_trials_time_and_versions(text: str) -> None:
    run = {what: value[0] for what, value in the_table(text, "what", "value").items()}
    assert run["encoder"] == "`tiny`: `sentence-encoder@1.0:53aa`, 3 layers"
    assert "100 validation texts" in run["sample"]
    assert "0, 2e-9, 5e-8, 5e-7, 5e-6, 5e-5; head 1e-3" in run["space"]
    assert "batch 8, at most 4 epochs, 48 tokens" in run["recipe"]
    assert run["trials"] == "6: 5 complete, 1 failed"
    assert run["time"] == "12 min 5 s, 2 workers, cpu in fp32"
    assert run["versions"] == "finetune_alf 0.1.0, torch 2.13.0, optuna absent"


def test_sample_sizes_are_told_where_the_study_wrote_them_down(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study(paths)
    about = read_json(paths.study_results("minilm") / "study.json")
    about["sample"]["counts"] = {"train": {"neg": 32, "pos": 32}, "test": {"neg": 700, "pos": 500}}
    write_json(paths.study_results("minilm") / "study.json", about)
    assert "64 train / 1,200 test texts" in report(paths)


def test_the_best_search_score_stands_beside_its_confirmation(text: str) -> None:
    assert "trial 3: **validation accuracy .810**" in text
    assert "Selection bias" in text
    assert "(on 100 texts, about .039)" in text
    assert "trial 3 reached **.755 [.695, .815]**, -.055 against its search score" in text
    assert "The baseline's own rates, trial 0, scored .720" in text


def test_a_failed_trial_is_told_with_its_reason(text: str) -> None:
    assert "Failed trials: diverged \\| after 2 epochs (1 x)." in text


def test_importance_has_intervals_and_a_direction(text: str) -> None:
    rows = the_table(text, "address", "fanova")
    assert rows["layer.1"][0] == ".550 [.300, .800]"
    assert rows["layer.1"][3:] == ["+.600 [+.200, +.800]", "higher rates score higher"]
    assert rows["embeddings"][4] == "lower rates score higher"
    assert rows["layer.0"][4] == "no clear direction"


def test_evaluators_that_disagree_and_intervals_that_overlap_are_said_to(text: str) -> None:
    assert "The evaluators disagree on the first place" in text
    assert "its interval overlaps with that of all others, so that no order among them is shown" in text


def test_evaluators_that_agree_clearly_are_said_to(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_importance(paths, agree=True, apart=True)
    told = report(paths)
    assert "All 3 evaluators agree on the first place." in told
    assert "fanova puts `layer.1` first, at .550 [.450, .650], clear of all others." in told


def test_candidates_show_search_and_confirmed_scores(text: str) -> None:
    rows = the_table(text, "trial", "search accuracy")
    assert rows["3"] == [".810", ".755 [.695, .815]", ".760, .750", "0.0", "`alf-1`"]
    assert rows["4"][-1] == "`alf-2`"
    assert "Trial 3's interval overlaps with that of trial 4: the order is not certain." in text


def test_the_rates_of_every_schedule_stand_at_their_addresses(text: str) -> None:
    rows = the_table(text, "schedule", "`embeddings`")
    assert rows["baseline"] == ["5e-5"] * 4 + ["1e-3"]
    for alias, number in (("alf-1", 3), ("alf-2", 4)):
        assert rows[alias] == [rate(value) for value in rates_of(number).values()]
    assert "read such rates as frozen" in text


def test_transfer_rows_are_schemes_and_columns_samples(text: str) -> None:
    assert the_table(text, "scheme", "`films`", "`gadgets`", "time of a fit")["alf-1"] == [
        ".770 [.740, .800]",
        ".810 [.780, .840]",
        "6.0 s",
    ]
    (balanced,) = [table for table in tables(text) if table[0] == ["scheme", "`films`", "`gadgets`"]]
    assert ["`alf-1`", ".760 [.720, .790]", ".800 [.760, .830]"] in balanced


def test_differences_are_told_in_words(text: str) -> None:
    (found,) = [table for table in tables(text) if table[0][0] == "sample"]
    rows = {(row[0], row[1]): row[2:] for row in found[1:]}
    no_evidence = ["+.020 [-.020, +.060]", ".210", ".630", "no evidence of a difference"]
    assert rows["`films`", "`alf-1`"] == no_evidence
    assert rows["`gadgets`", "`alf-1`"] == ["+.060 [+.020, +.100]", "< .001", ".002", "**better**"]
    assert not any(scheme == "`baseline`" for _, scheme in rows)
    assert "Of 8 comparisons with the baseline, 1 came out better and 2 worse; for 5 there is no evidence" in text


def test_a_scheme_no_better_than_the_commonest_class_is_pointed_out(text: str) -> None:
    assert "Not shown to beat naming the commonest class every time: `feature_extraction` on `films` (.520);" in text


def test_the_first_screen_tells_the_outcome(text: str) -> None:
    first = text.partition("## Study")[0]
    assert "confirmed on fresh seeds and texts at .755 [.695, .815]" in first
    assert "`alf-1` of `minilm` against the baseline, by test sample: `films`: no evidence of a difference" in first
    assert "`gadgets`: better" in first


def test_figures_exist_and_are_linked(page: Path, text: str) -> None:
    linked = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    there = [str(file.relative_to(page.parent)) for file in page.parent.rglob("*.png")]
    assert sorted(linked) == sorted(there)
    kinds = ("history", "importance", "rates", "curves", "transfer")
    assert sorted(there) == sorted(f"figures/minilm-{kind}.png" for kind in kinds)


def test_a_title_is_text_and_nothing_else(text: str) -> None:
    assert text.startswith("# Six trials \\| on films\n")


def test_the_thesis_stands_beside_its_own_encoders_alone(tmp_path: Path, text: str) -> None:
    paths = Paths(tmp_path)
    write_study(paths, "distilbert", identity="distilbert/distilbert-base-uncased@12040acc")
    write_transfer(paths, "imdb", "distilbert")
    write_lock(paths, "distilbert")
    told = report(paths)
    rows = the_table(told, "scheme", "imdb, thesis", "imdb, ours")
    assert rows["baseline"][:4] == [".860", ".750 [.720, .780]", ".912", "–"]
    assert "table 4.1" in told
    assert "distilbert-alf-1" in the_table(told, "schedule", "`embeddings`")
    assert "Beside the thesis" not in text


def test_a_stage_that_did_not_run_is_named_with_its_command(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study(paths)
    told = report(paths)
    for command in ("importance minilm", "register minilm", "transfer minilm SAMPLE"):
        assert f"Not run yet: `finetune-alf {command}`." in told
    assert "was not fitted again on unseen texts" in told
    assert "not confirmed yet" in told


def test_a_best_trial_that_could_not_be_registered_is_not_sent_to_registration(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study(paths)
    write_lock(paths)
    trials = paths.study_results("minilm") / "trials.jsonl"
    write_jsonl(trials, [trial(0, 1.0), *read_jsonl(trials)[1:]])
    told = report(paths)
    assert "Trial 0 was not confirmed on unseen texts: it has the baseline's rates" in told
    assert "not confirmed itself" in told
    assert "not confirmed yet" not in told
    assert "about .000" not in told


@pytest.mark.parametrize(
    ("n_seeds", "known"),
    [(1, "With one seed nothing is known of"), (2, "With two seeds little is known of"), (3, None)],
)
def test_few_seeds_are_said_to_tell_little_of_seeds(tmp_path: Path, n_seeds: int, known: str | None) -> None:
    paths = Paths(tmp_path)
    write_transfer(paths, "films", n_seeds=n_seeds)
    told = report(paths)
    assert f"{n_seeds} seed" in told
    assert known in told if known else "is known of how seeds differ" not in told


def test_a_study_that_was_not_run_here_still_has_its_schedules_told(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_lock(paths)
    told = report(paths)
    assert "Not run yet: `finetune-alf study minilm`." in told
    assert the_table(told, "schedule", "`embeddings`").keys() == {"alf-1", "alf-2"}


def test_nothing_run_is_an_error_that_names_the_commands(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="finetune-alf run"):
        write_report(Paths(tmp_path))
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "study" / "minilm" / "study.json").write_text("{"), r"study\.json: must be JSON"),
        (lambda folder: write_json(folder / "importance" / "minilm.json", {}), r"minilm\.json: .*n_trials: Field req"),
        (
            lambda folder: (folder / "transfer" / "minilm" / "films.jsonl").write_text("{}\n"),
            r"films\.jsonl:1: .*scheme",
        ),
        (lambda folder: (folder / "transfer" / "minilm" / "films.jsonl").unlink(), r"cannot read .*films\.jsonl"),
    ],
)
def test_a_broken_file_is_named_and_the_earlier_report_stays(tmp_path: Path, break_it, message: str) -> None:
    paths = write_everything(tmp_path)
    page = paths.report / "report.md"
    page.parent.mkdir(parents=True)
    page.write_text("the earlier one")
    break_it(paths.results)
    with pytest.raises(InputError, match=message):
        write_report(paths)
    assert page.read_text() == "the earlier one"
    assert [file.name for file in page.parent.parent.glob(".*")] == []


def test_the_same_files_give_the_same_report(tmp_path: Path, page: Path) -> None:
    again = write_report(write_everything(tmp_path), "Six trials | on films")
    files = [file.relative_to(page.parent) for file in page.parent.rglob("*") if file.is_file()]
    assert all((again.parent / file).read_bytes() == (page.parent / file).read_bytes() for file in files)
