"""The report on a small tree of results: a golden page, and what changes with the documents that are there."""

import re
from pathlib import Path

import pytest
from report_tree import DIGEST, trial, write_everything, write_importance, write_lock, write_study

from finetune_alf.errors import InputError
from finetune_alf.figures.picture import Picture
from finetune_alf.json_files import read_json, read_jsonl, write_json, write_jsonl
from finetune_alf.paths import Paths
from finetune_alf.report.contents import contents_of
from finetune_alf.report.load import load_results
from finetune_alf.report.part import DocumentPart, Part
from finetune_alf.report.run_pictures import run_pictures
from finetune_alf.report.section import Section
from finetune_alf.report.write import write_report
from golden import golden

HERE = Path(__file__).parent


def report(paths: Paths) -> str:
    return write_report(paths).read_text("utf-8").rstrip("\n")


def test_the_page_of_a_study_with_all_of_its_stages(text: str) -> None:
    assert text.rstrip("\n") == golden(HERE / "study.md", text.rstrip("\n"))


def test_every_table_row_has_a_cell_for_each_column(text: str) -> None:
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("| ")]
    assert blocks
    for lines in blocks:
        assert len({len(re.split(r" (?<!\\)\| ", line)) for line in lines}) == 1


def test_a_long_reason_is_cut_between_its_signs(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study(paths)
    file = paths.study_results("minilm") / "trials.jsonl"
    trials = read_jsonl(file)
    trials[2]["reason"] = "x" * 199 + "|" + "y" * 9
    write_jsonl(file, trials)
    assert f"Failed trials: {'x' * 199}\\| (1 x)." in report(paths)


def test_a_study_alone_names_the_commands_that_are_missing(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study(paths)
    page = report(paths)
    for command in ("importance minilm", "register minilm"):
        assert f"`finetune-alf {command}`" in page
    assert "not confirmed yet" in page


def test_a_lock_file_alone_still_shows_its_schedules(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_lock(paths)
    page = report(paths)
    assert "`finetune-alf study minilm`" in page
    assert "| `alf-1` |" in page
    assert "| `baseline` |" not in page


def test_sizes_of_the_sample_are_those_that_the_study_wrote_down(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study(paths)
    file = paths.study_results("minilm") / "study.json"
    document = read_json(file)
    document["sample"]["counts"] = {"train": {"neg": 32, "pos": 32}, "test": {"neg": 700, "pos": 500}}
    write_json(file, document)
    assert "64 train / 1,200 test texts" in report(paths)


def test_evaluators_that_agree_are_said_to(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_importance(paths, agree=True)
    assert "All 3 evaluators agree" in report(paths)


@pytest.mark.parametrize("evaluator", ["fanova", "mdi", "ped_anova"])
def test_an_evaluator_that_ranks_no_address_first_agrees_with_none(evaluator: str, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_importance(paths, agree=True)
    document = read_json(paths.importance("minilm"))
    for share in document["evaluators"][evaluator].values():
        share["n_first"] = 0
    write_json(paths.importance("minilm"), document)
    page = report(paths)
    assert f"{evaluator} ranks no address above all others in any of 100 draws from the trials." in page
    assert "The evaluators disagree on the first place" in page


def test_a_direction_is_in_words_where_its_corrected_test_says_so(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_importance(paths, p_values=(0.049, 0.05, 0.0004, 1.0))
    page = report(paths)
    assert "| `embeddings`, `layer.3` | -.400 | .049 | lower rates score higher |" in page
    assert "| `layer.0` | +.100 | .050 | no evidence of a direction |" in page
    assert "| `layer.1` | +.600 | < .001 | higher rates score higher |" in page
    assert "for `embeddings`: lower rates score higher; `layer.1`: higher rates score higher (by permutation" in page
    assert "no test" not in page


def test_without_a_corrected_p_below_the_level_there_is_no_direction(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_importance(paths, p_values=(0.06, 0.5, 0.3, 1.0))
    page = report(paths)
    assert "no evidence of a direction for any address" in page
    assert not re.search("(higher|lower) rates score higher", page)


def test_an_importance_that_could_not_be_estimated_has_its_reason_alone(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_json(paths.importance("minilm"), {"study": "minilm", "n_trials": 3, "reason": "there are 3 trials"})
    page = report(paths)
    assert "There is no finding yet: there are 3 trials." in page
    assert "importance.png" not in page


def test_a_best_trial_with_the_baselines_rates_is_not_sent_to_registration(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study(paths)
    write_lock(paths)
    trials = paths.study_results("minilm") / "trials.jsonl"
    write_jsonl(trials, [trial(0, 1.0), *read_jsonl(trials)[1:]])
    assert "not confirmed" not in report(paths)


def test_the_thesiss_schedules_stand_beside_those_of_its_own_encoders_alone(tmp_path: Path, text: str) -> None:
    paths = Paths(tmp_path)
    write_study(paths, "distilbert", identity="distilbert/distilbert-base-uncased@12040acc")
    write_lock(paths, "distilbert")
    assert "| `distilbert-alf-1` |" in report(paths)
    assert "distilbert-alf-1" not in text


def test_the_thesiss_important_layers_stand_beside_those_of_its_own_encoders(tmp_path: Path, text: str) -> None:
    paths = Paths(tmp_path)
    write_study(paths, "distilbert", identity="distilbert/distilbert-base-uncased@12040acc")
    write_importance(paths, "distilbert")
    own = report(paths)
    assert "The thesis ranks `layer.3` of DistilBERT first, by fANOVA without intervals." in own
    # in this study the rate of layer.3 is that of the embeddings: the share is the block's
    assert "Here, by fanova: `layer.3` is number 2 of 4, share .150." in own
    assert "Here, by ped_anova: `layer.3` is number 1 of 4, share .550." in own
    assert "low rates of `layer.3` score best; its own best schedule has 2e-5 there" in own
    assert "The thesis ranks layer 3 of DistilBERT, layer 8 of BERT, layer 8 of RoBERTa first" in text


def test_measured_movements_decide_the_words_and_stand_beside_the_bounds_of_the_encoders_own_sizes(
    tmp_path: Path,
) -> None:
    paths = write_everything(tmp_path)
    folder = paths.study_results("minilm")
    alf = read_json(paths.schedules("minilm"))["schedules"]["alf-1"]["schedule"]["recipe"]["rates"]
    rates = {"embeddings": alf["embeddings"], **{f"layer.{i}": rate for i, rate in enumerate(alf["layers"])}}
    trials = read_jsonl(folder / "trials.jsonl")
    own = next(each for each in trials if each["rates"] == {**rates, "head": alf["head"]})
    own["result"]["movement"] = {"embeddings": 0.0, "layer.0": 1e-6, "layer.1": 3e-5, "layer.2": 0.0021, "head": 0.5}
    write_jsonl(folder / "trials.jsonl", trials)
    write_json(folder / "study.json", read_json(folder / "study.json") | {"mean_sizes": {"layer.2": 0.008}})
    lock = read_json(paths.schedules("minilm"))
    lock["schedules"]["alf-1"]["schedule"]["provenance"]["movement"] = own["result"]["movement"]
    write_json(paths.schedules("minilm"), lock)
    page = report(paths)
    assert "| `layer.2` | learns (at most .2) | learns (measured .0021) |" in page
    assert "barely moves (measured 1e-6)" in page
    assert "taken as" not in page
    assert "1 of 5 addresses frozen, 2 barely moving." in page


def test_figures_exist_and_are_linked(page: Path, text: str) -> None:
    linked = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    there = [str(file.relative_to(page.parent)) for file in page.parent.rglob("*.png")]
    assert sorted(linked) == sorted(there)
    assert sorted(there) == sorted(
        f"figures/minilm-{kind}.png"
        for kind in ("search", "trials", "score_curves", "loss_curves", "importance", "strip")
    )


def test_two_pictures_of_one_name_are_refused_and_one_twice_is_not() -> None:
    section, first = Section(), Picture({"mark": "bar"}, "bars")
    section.figure("minilm-curves.png", "Bars", first)
    section.figure("minilm-curves.png", "Bars again", Picture({"mark": "bar"}, "bars"))
    assert section.pictures == {"minilm-curves.png": first}
    section.figure("minilm-curves.png", "A line", Picture({"mark": "line"}, "a line"))
    with pytest.raises(InputError, match=r"minilm-curves\.png: must be one picture of the report, but got two"):
        section.files()


def test_a_run_has_the_pictures_of_its_own_section_whatever_names_begin_alike(tmp_path: Path) -> None:
    paths, section = write_everything(tmp_path), Section()
    write_study(paths, "minilm-imdb")
    section.figure("minilm-transfer.png", "A forest", Picture({"mark": "point"}, "a forest"))
    document = DocumentPart("Transfer", section, runs=("transfer/minilm/films", "transfer/minilm/travel"))
    found = run_pictures(contents_of(load_results(paths), [Part((document,))]))
    searched = ("search", "trials", "score_curves", "loss_curves")
    both = tuple(f"minilm-{kind}.png" for kind in (*searched, "importance", "strip"))
    assert found.pop(f"study/minilm-imdb/{DIGEST[:16]}") == tuple(f"minilm-imdb-{kind}.png" for kind in searched)
    assert found.pop(f"study/minilm/{DIGEST[:16]}") == found.pop("register/minilm") == both
    assert found == dict.fromkeys(document.runs, ("minilm-transfer.png",))


def test_a_part_of_an_experiment_follows_the_studies_and_its_lines_stand_in_the_summary(tmp_path: Path) -> None:
    section = Section()
    part = Part((DocumentPart("Another experiment", section, ("A line.",)),))
    page = write_report(write_everything(tmp_path), parts=[lambda paths: part, lambda paths: None])
    text = page.read_text("utf-8")
    assert text.index("- A line.") < text.index("## Study `minilm`") < text.index("## Another experiment")


def test_nothing_run_is_an_error_that_names_the_commands(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="finetune-alf run"):
        write_report(Paths(tmp_path))
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda results: (results / "study" / "minilm" / "study.json").write_text("{"), r"study\.json: must be JSON"),
        (
            lambda results: write_json(results / "importance" / "minilm.json", {}),
            r"minilm\.json: .*study: Field req",
        ),
        (
            lambda results: (results / "study" / "minilm" / "trials.jsonl").write_text("{}\n"),
            r"trials\.jsonl:1: ",
        ),
        (lambda results: (results / "study" / "minilm" / "trials.jsonl").unlink(), r"cannot read .*trials\.jsonl"),
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
