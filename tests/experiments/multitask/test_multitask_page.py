"""Multi-task experiments in the report: the whole page beside this test, and what its figure shows."""

from pathlib import Path

import pytest
from fake_experiments import CELLS, DOCUMENTS, LINES, write_experiments

from finetune_alf.experiments.multitask.figure import epochs_plot, multitask_info, seconds_plot
from finetune_alf.experiments.multitask.page import multitask_part
from finetune_alf.experiments.multitask.page_alone import alone_section
from finetune_alf.experiments.multitask.page_published import development_score
from finetune_alf.json_files import write_jsonl
from finetune_alf.paths import Paths
from golden import golden


def test_the_page_is_what_the_documents_say(tmp_path):
    paths = Paths(tmp_path)
    write_experiments(paths)
    part = multitask_part(paths)
    page = "\n\n".join([*part.in_short, part.section.markdown])
    assert page == golden(Path(__file__).with_name("multitask_page.md"), page)
    assert list(part.section.pictures) == [
        f"{name}-multitask{kind}.png" for name in ("alone", "shape", "void") for kind in ("", "-seconds")
    ]


def test_without_an_experiment_there_is_no_part(tmp_path):
    assert multitask_part(Paths(tmp_path)) is None


def test_published_scores_stand_beside_those_of_the_kept_epoch_on_the_validation_split():
    kept = [line for line in LINES if line.cell == "dropout-0.3"]
    assert development_score(kept) == pytest.approx(0.5)
    assert development_score(kept, "sts") == pytest.approx(0.6)
    assert development_score(kept, "another") is None


def test_only_a_single_task_by_the_same_metric_stands_beside_several():
    alone, several, _ = DOCUMENTS
    other = alone.model_copy(update={"metrics": {"sts": "spearman"}})
    assert len(alone_section([alone, several]).blocks) == 3
    assert alone_section([other, several]).blocks == []


def test_the_figure_has_means_over_the_seeds_up_to_the_last_epoch_of_all():
    everything, *_, lost = multitask_info(DOCUMENTS[1], LINES)
    assert everything.by_epoch == (pytest.approx(0.4), None)
    assert (everything.seconds, everything.score) == (100.0, CELLS["all"].scores.overall)
    assert (lost.by_epoch, lost.seconds, lost.score) == ((), None, None)


def test_the_same_document_gives_the_same_picture():
    for plot in (epochs_plot, seconds_plot):
        picture = plot(DOCUMENTS[1], LINES)
        assert picture.png().startswith(b"\x89PNG")
        assert picture == plot(DOCUMENTS[1], LINES)


def test_cells_that_keep_other_epochs_are_not_said_to_keep_one(tmp_path):
    paths = Paths(tmp_path)
    last = DOCUMENTS[1].model_copy(update={"vary": {**DOCUMENTS[1].vary, "top-2": {"keep": "last"}}})
    for written, title in ((DOCUMENTS[1], "of the best epoch on the"), (last, "of the epoch that `keep` of the cell")):
        written.write(paths.document("multitask", "shape"))
        write_jsonl(paths.cells("multitask", "shape"), [each.as_json() for each in LINES])
        assert f"**Scores on the test split**, {title}" in multitask_part(paths).section.markdown
