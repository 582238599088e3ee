"""Adaptations in the report: the whole page beside this test, and the lines of the figure."""

from pathlib import Path

import pytest
from planted_adaptations import record, write_adaptations

from finetune_alf.experiments.adapt.document import AdaptDocument
from finetune_alf.experiments.adapt.figure import loss_info
from finetune_alf.experiments.adapt.page import adapt_part
from finetune_alf.experiments.adapt.record import Losses, LossPoint
from finetune_alf.paths import Paths
from golden import golden


def test_the_page_is_what_the_documents_say(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_adaptations(paths)
    part = adapt_part(paths)
    page = "\n\n".join(["\n".join(part.in_short), part.section.markdown])
    assert page == golden(Path(__file__).with_name("adapt_page.md"), page)
    names = ("better", "diverged", "new-head", "worse-loss")
    assert list(part.section.pictures) == [f"{name}-adapt.png" for name in names]


def test_a_comparison_of_one_seed_is_said_to_be_of_one(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_adaptations(paths)
    for path in paths.experiment("adapt").glob("*.json"):
        document = AdaptDocument.read(path)
        if document.comparison:
            one = document.comparison.model_copy(update={"n_seeds": 1})
            document.model_copy(update={"comparison": one}).write(path)
    page = adapt_part(paths).section.markdown
    assert "by the same recipe with the same seed, and scored" in page
    assert "1 seeds" not in page


def test_the_parts_that_params_yaml_gives_are_written_with_all_of_their_digits(tmp_path: Path) -> None:
    own, training = record("fine"), {"mask_frac": 0.125, "warmup_frac": 0.005}
    own = own.model_copy(update={"training": {**own.training, **training}})
    paths = Paths(tmp_path)
    AdaptDocument(record=own, comparison=None).write(paths.document("adapt", "fine"))
    page = adapt_part(paths).section.markdown
    assert "| masked | 12.5% of the tokens |" in page
    assert "over 0.5% of the steps" in page


def test_without_an_adaptation_there_is_no_part(tmp_path: Path) -> None:
    assert adapt_part(Paths(tmp_path)) is None


def test_a_training_loss_lies_in_the_middle_of_the_steps_that_it_is_the_mean_of() -> None:
    points = (LossPoint(step=10, loss=6.0), LossPoint(step=14, loss=5.0))
    info = loss_info(points, Losses(before=7.0, after=4.0))
    assert info.train == ((5.0, 6.0), (12.0, 5.0))
    assert info.held_out == ((0.0, 7.0), (14.0, 4.0))


@pytest.mark.parametrize(("n_pieces", "n_steps", "epochs"), [(20, 3, "3"), (20, 300, "300"), (1280, 20, "0.5")])
def test_epochs_are_how_often_the_pieces_were_gone_through(tmp_path: Path, n_pieces, n_steps, epochs) -> None:
    """Twenty pieces are one step of a batch of 32: three epochs are three steps."""
    own = record("few", n_steps=n_steps)
    own = own.model_copy(update={"texts": own.texts.model_copy(update={"n_pieces": n_pieces})})
    paths = Paths(tmp_path)
    AdaptDocument(record=own, comparison=None).write(paths.document("adapt", "few"))
    assert f"| epochs | {epochs} |" in adapt_part(paths).section.markdown
