"""Transfers in the report: the whole page beside this test, and what its figure shows."""

from pathlib import Path

import pytest
from fake_transfers import DOCUMENTS, RATES, document, line, write_transfers

from finetune_alf.errors import InputError
from finetune_alf.experiments.transfer.figure import transfer_info, transfer_plot
from finetune_alf.experiments.transfer.page import transfer_part
from finetune_alf.json_files import write_jsonl
from finetune_alf.paths import Paths
from finetune_alf.report.evidence import few_seeds
from golden import golden


def test_the_page_is_what_the_documents_and_cells_say(tmp_path):
    paths = Paths(tmp_path)
    write_transfers(paths)
    part = transfer_part(paths)
    page = "\n\n".join([*part.in_short, part.section.markdown])
    assert page == golden(Path(__file__).with_name("transfer_page.md"), page)
    assert list(part.section.pictures) == ["bert-transfer.png", "scores-transfer.png"]


def test_a_best_single_rate_that_is_the_baselines_own_is_one_comparison(tmp_path, monkeypatch):
    monkeypatch.setitem(RATES, "uniform", RATES["baseline"])
    paths = Paths(tmp_path)
    write_transfers(paths)
    part = transfer_part(paths)
    assert not any("best single rate" in line for line in part.in_short)
    assert "`uniform` is `baseline` once more" in part.section.markdown


def test_a_verdict_that_several_samples_share_is_said_once_with_all_of_them(tmp_path):
    paths = Paths(tmp_path)
    write_transfers(paths)
    (imdb,) = [each for each in DOCUMENTS if each.sample.name == "imdb-small"]
    again = imdb.model_copy(update={"sample": imdb.sample.model_copy(update={"name": "again"})})
    path = paths.document("transfer", "bert", "again")
    again.write(path)
    path.with_suffix(".jsonl").write_bytes(paths.cells("transfer", "bert", "imdb-small").read_bytes())
    (line,) = [line for line in transfer_part(paths).in_short if "plain fine-tuning, by target" in line]
    assert line == (
        "`alf-1` of `bert` against plain fine-tuning, by target sample: better on `again` +.060 [+.020, +.100], "
        "`imdb-small` +.060 [+.020, +.100]; no evidence of a difference on `yelp-small` +.060 [+.020, +.100]."
    )


def test_what_was_tested_on_the_sample_that_was_searched_decides_what_to_use(tmp_path):
    paths = Paths(tmp_path)
    write_transfers(paths)
    tested = transfer_part(paths).tested
    assert {study: set(schemes) for study, schemes in tested.items()} == {
        "bert": {"feature_extraction", "alf-1", "alf-2"},
        "scores": {"feature_extraction", "alf-1", "alf-2", "decayed"},
    }


def test_a_sample_on_which_no_scheme_beats_one_prediction_for_all_is_named_once(tmp_path):
    paths = Paths(tmp_path)
    write_transfers(paths)
    path = paths.document("transfer", DOCUMENTS[0].study, DOCUMENTS[0].sample.name)
    easy = DOCUMENTS[0].sample.model_copy(update={"majority_baseline": 0.9})
    DOCUMENTS[0].model_copy(update={"sample": easy}).write(path)
    assert f"all schemes on `{easy.name}` (.900)" in transfer_part(paths).section.markdown


def test_without_a_transfer_there_is_no_part(tmp_path):
    assert transfer_part(Paths(tmp_path)) is None


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda path: path.with_suffix(".jsonl").write_text("{}\n"), r"films\.jsonl:1: .*seed"),
        (lambda path: path.with_suffix(".jsonl").unlink(), r"films\.jsonl"),
        (lambda path: path.write_text('{"study": "bert"}'), r"films\.json: .*searched_on"),
        (lambda path: path.with_suffix(".predictions.json").write_text("{}"), r"films\.predictions\.json: .*truth"),
        (
            lambda path: path.with_suffix(".predictions.json").write_text(
                '{"truth": [0, 1, 1], "predictions": {"baseline": {"1": [0, 1]}}}'
            ),
            r"films\.predictions\.json: .*2 predictions of baseline for 3 texts",
        ),
    ],
    ids=["another line", "no lines", "another document", "no truth", "fewer predictions"],
)
def test_a_broken_file_is_named(tmp_path, harm, message):
    paths = Paths(tmp_path)
    write_transfers(paths)
    harm(paths.document("transfer", "bert", "films"))
    with pytest.raises(InputError, match=message):
        transfer_part(paths)


@pytest.mark.parametrize(
    ("n_seeds", "few"), [(1, "1 seed is too few to go by it."), (2, "2 seeds are too few to go by")]
)
def test_a_number_of_few_seeds_is_not_the_one_to_go_by(tmp_path, n_seeds, few):
    paths = Paths(tmp_path)
    document("bert", "films", n_seeds=n_seeds).write(paths.document("transfer", "bert", "films"))
    cells = [line("baseline", seed).as_json() for seed in range(n_seeds)]
    write_jsonl(paths.cells("transfer", "bert", "films"), cells)
    assert few in transfer_part(paths).in_short[0]


def test_a_scheme_that_diverged_under_some_seeds_takes_none_from_the_others(tmp_path):
    paths, whole = Paths(tmp_path), document("bert", "films", n_seeds=5)
    short = document("bert", "films", n_seeds=2).schemes["decayed"]
    whole.model_copy(update={"schemes": {**whole.schemes, "decayed": short}}).write(
        paths.document("transfer", "bert", "films")
    )
    cells = [line("baseline", seed).as_json() for seed in range(5)]
    write_jsonl(paths.cells("transfer", "bert", "films"), cells)
    assert transfer_part(paths).in_short[0].endswith("For that sample this is the number to go by.")


def test_fewer_seeds_than_a_verdict_needs_have_a_caution():
    assert [few_seeds(n) is None for n in (1, 2, 4, 5)] == [False, False, False, True]


def test_the_figure_has_a_panel_for_each_sample_with_gaps_and_the_majority_baseline_of_classes():
    info = transfer_info(DOCUMENTS[:3])
    assert info.schemes == tuple(DOCUMENTS[2].schemes)
    films, imdb, _ = info.panels
    assert films.scores[:4] == tuple(result.score for result in DOCUMENTS[0].schemes.values())
    assert films.scores[4] is None
    assert (imdb.sample, imdb.majority_baseline) == ("imdb-small", 0.52)
    assert transfer_info(DOCUMENTS[3:]).panels[0].majority_baseline is None


def test_the_same_documents_give_the_same_picture():
    picture = transfer_plot(DOCUMENTS[:3], "accuracy")
    assert picture.png().startswith(b"\x89PNG")
    assert picture == transfer_plot(DOCUMENTS[:3], "accuracy")
