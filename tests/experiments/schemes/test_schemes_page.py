"""Testbeds in the report: the whole page beside this test, and what its figure shows."""

from pathlib import Path

from fake_testbeds import CLASSES, SCORES, SURVEY, THESIS, fake_testbed, row, table

from finetune_alf.experiments.schemes.figure import schemes_info, schemes_plot
from finetune_alf.experiments.schemes.page import schemes_part
from finetune_alf.experiments.schemes.page_thesis import thesis_section
from finetune_alf.paths import Paths
from golden import golden


def test_the_page_is_what_the_documents_say(tmp_path):
    paths = Paths(tmp_path)
    for document in (CLASSES, SCORES, THESIS):
        document.write(paths.document("schemes", document.name))
    part = schemes_part(paths)
    page = "\n\n".join([*part.in_short, part.section.markdown])
    assert page == golden(Path(__file__).with_name("schemes_page.md"), page)
    assert list(part.section.pictures) == ["bed-schemes.png", "similarity-schemes.png", "thesis-schemes.png"]


def test_a_reason_that_several_combinations_share_is_said_once(tmp_path):
    paths = Paths(tmp_path)
    left_out = {
        "head/houlsby/constant": "all frozen",
        "nesterov/none/constant": "no SGD",
        "head/lora/constant": "all frozen",
    }
    path = paths.document("schemes", "many")
    path.parent.mkdir(parents=True)
    fake_testbed("many", "accuracy", (table("films", 0.5, row("fixed")),), left_out=left_out).write(path)
    assert (
        "Combinations left out: `head/houlsby/constant`, `head/lora/constant`: all frozen; `nesterov/none/constant`: "
        "no SGD." in schemes_part(paths).section.markdown
    )


def test_a_combination_with_a_p_of_0_counts_as_tested(tmp_path):
    found = row("head", 0.2, gap=-0.6)
    certain = found.model_copy(update={"difference": found.difference.model_copy(update={"p_holm": 0.0})})
    testbed, paths = fake_testbed("sure", "accuracy", [table("films", 0.5, row("fixed"), certain)]), Paths(tmp_path)
    testbed.write(paths.document("schemes", "sure"))
    (line,) = schemes_part(paths).in_short
    assert line.endswith("Of 1 combination tested against `fixed`, 0 better and 1 worse.")


def test_a_schedule_has_rates_of_its_own_unless_it_is_rescaled(tmp_path):
    rows, paths = (row("fixed"), row("bert-alf-1+gradual", gap=0.01)), Paths(tmp_path)
    for rescale, which in ((False, "All schemes but schedules"), (True, "All schemes")):
        testbed = fake_testbed("own", "accuracy", [table("films", 0.5, *rows)], rescale=rescale)
        testbed.write(paths.document("schemes", "own"))
        assert f"{which} have the rate of the testbed" in schemes_part(paths).section.markdown


def test_without_a_testbed_there_is_no_part(tmp_path):
    assert schemes_part(Paths(tmp_path)) is None


def test_the_figure_has_a_row_for_each_scheme_and_curve_and_a_point_for_each_adapter():
    info = schemes_info(CLASSES)
    slanted = ("differential+gradual, slanted triangular", "fixed, slanted triangular")
    assert info.rows == ("fixed", *slanted, "head")
    assert info.adapters == ("none", "houlsby")
    assert [(sample, [(point.row, point.adapter) for point in points]) for sample, points in info.panels] == [
        ("sst2-small", [(0, "none"), (0, "houlsby"), (1, "none"), (2, "none")]),
        ("travel", [(0, "none"), (3, "none")]),
        ("films", [(0, "none")]),
    ]


def test_the_figure_has_no_score_of_a_diverged_fit_and_no_published_accuracy_by_another_metric():
    (_, (first, *_)), _, (_, (diverged,)) = schemes_info(CLASSES).panels
    assert (first.score, first.published) == (CLASSES.samples["sst2-small"].combinations[0].score, SURVEY.accuracy)
    assert (diverged.score, diverged.published) == (None, None)
    assert {point.published for _, points in schemes_info(SCORES).panels for point in points} == {None}


def test_the_same_document_gives_the_same_picture_and_another_document_another():
    small = fake_testbed("small", "accuracy", [table("sst2", 0.5, row("fixed"), row("head", None))])
    picture = schemes_plot(small)
    assert picture.png().startswith(b"\x89PNG")
    assert picture == schemes_plot(small)
    assert picture != schemes_plot(fake_testbed("small", "accuracy", [table("sst2", 0.5, row("head", None))]))


def test_published_gains_stand_beside_ours_for_each_schedule_of_the_thesis():
    page = thesis_section(THESIS).markdown
    # .87316 on 544 texts, .8708 on 480: the standard error of their difference is that of two independent runs
    assert "| `imdb-small` | `bert-alf-1` | .87316 (.014) | .8708 (.015) | +.002 (.021) |" in page
    assert "`feature_extraction`" not in page  # the encoder is none of the thesis's
    assert "stretched to the depth of this one and rescaled" in page
    own = THESIS.encoder.model_copy(update={"identity": "google-bert/bert-base-uncased@86b5"})
    page = thesis_section(THESIS.model_copy(update={"encoder": own})).markdown
    assert "| `imdb-small` | `feature_extraction` | .55208 (.023) | .8708 (.015) | -.319 (.027) |" in page
    assert "| `imdb-small` | `fixed` | .8708 (.015) | .8708 (.015) | – |" in page
    assert "other encoders" not in page


def test_without_a_schedule_of_the_thesis_there_is_no_such_table():
    assert thesis_section(CLASSES).markdown == ""
