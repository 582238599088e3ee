"""Error against the step: recipes of the rates, curves, comparisons, refused params, and the page."""

from pathlib import Path

import pytest
from planted_curves import TRUTH, curve, forgetting_document, forgetting_spec, planted
from pydantic import ValidationError

from finetune_alf.experiments.forgetting.compare import compare, errors_by_step
from finetune_alf.experiments.forgetting.figure import forgetting_plot
from finetune_alf.experiments.forgetting.page import forgetting_part
from finetune_alf.paths import Paths
from golden import golden, page_of


def errors(rate, index):
    """At 4e-4 the model forgets in the second epoch; the higher of the other rates are a little better each."""
    own = {2e-5: 0.12, 5e-5: 0.1, 1e-4: 0.1, 4e-4: 0.5}[rate] + 0.005 * (index == 0)
    return (0.3 + 0.01 * index, 0.2, own)


def test_the_default_rates_are_those_of_the_thesis_and_the_guard_is_lifted():
    spec = forgetting_spec()
    assert spec.rates == (2e-5, 5e-5, 1e-4, 4e-4)
    recipe = spec.recipe_at(4e-4)
    assert recipe.rates.at(2).layers == (4e-4, 4e-4)
    assert (recipe.rates.at(2)["head"], recipe.steps_per_epoch) == (1e-3, 50)


def test_a_head_without_a_rate_of_its_own_has_that_of_the_layers():
    recipe = forgetting_spec().recipe
    spec = forgetting_spec(recipe=recipe.model_copy(update={"rates": recipe.rates.model_copy(update={"head": None})}))
    assert spec.recipe_at(4e-4).rates.at(2)["head"] == 4e-4


def test_the_errors_of_a_step_are_of_the_seeds_that_got_there():
    found = errors_by_step([curve(0.5, 0.2), curve(0.3, None), curve(0.4, 0.4)], 20)
    assert [(each.step, each.mean, each.low, each.high, each.n_seeds) for each in found] == [
        (20, pytest.approx(0.4), pytest.approx(0.3), 0.5, 3),
        (40, pytest.approx(0.3), pytest.approx(0.2), pytest.approx(0.4), 2),
    ]


def test_accuracies_after_the_last_step_are_compared_with_the_lowest_rate_and_judged_above_the_guards_bound():
    spec = forgetting_spec(rates=(4e-4, 1e-4, 2e-5, 5e-5))
    lowest, *others = compare(TRUTH, planted(spec, errors), spec.every_steps)
    assert (lowest.rate, lowest.difference) == (2e-5, None)
    assert lowest.accuracy.mean == pytest.approx(0.879)
    assert [other.difference.mean for other in others] == pytest.approx([0.02, 0.02, -0.38])
    assert [other.difference.verdict for other in others] == [None, None, "worse"]


def test_a_rate_whose_every_fit_diverged_has_a_curve_and_no_accuracy():
    spec = forgetting_spec(rates=(2e-5, 4e-4), n_seeds=2)
    low, high = compare(TRUTH, planted(spec, lambda rate, index: (0.4, None if rate > 1e-4 else 0.2)), 50)
    assert (low.n_diverged, high.n_diverged, high.n_seeds) == (0, 2, 0)
    assert high.accuracy is high.difference is None
    assert [each.step for each in high.errors] == [50]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep": "best"}, "recipe.keep must be last"),
        ({"early_stopping": {}}, "recipe.early_stopping must be left out"),
        ({"adapter": {"kind": "houlsby"}}, "recipe.adapter must be left out"),
        ({"steps_per_epoch": 3}, "recipe.steps_per_epoch must be left out"),
        ({"tasks": {}}, "recipe.tasks must be left out"),
        ({"rates": {"kind": "decayed", "rate": 1e-5}}, "recipe.rates must be uniform"),
    ],
)
def test_a_recipe_that_says_what_the_experiment_says_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        forgetting_spec(recipe=forgetting_spec().recipe.model_dump() | changes)


@pytest.mark.parametrize("again", [2e-5, 2.0000001e-5])
def test_a_rate_twice_is_refused(again):
    with pytest.raises(ValidationError, match="rates must name each rate once, but got 2e-5 again"):
        forgetting_spec(rates=(2e-5, 1e-4, again))


def test_the_page_is_what_the_documents_say(tmp_path):
    paths = Paths(tmp_path)
    some = forgetting_spec(rates=(2e-5, 4e-4), n_seeds=2, every_steps=1)
    for document in (
        forgetting_document("bert", forgetting_spec(), errors),
        forgetting_document("some", some, lambda rate, index: (0.4, None if rate > 1e-4 else 0.2)),
    ):
        document.write(paths.document("forgetting", document.name))
    part = forgetting_part(paths)
    page = page_of(part)
    assert page == golden(Path(__file__).with_name("forgetting_page.md"), page)
    assert list(part.section.pictures) == ["bert-forgetting.png", "some-forgetting.png"]


def test_without_an_experiment_there_is_no_part(tmp_path):
    assert forgetting_part(Paths(tmp_path)) is None


def test_the_same_document_gives_the_same_picture_and_another_document_another():
    document = forgetting_document("bert", forgetting_spec(), errors)
    picture = forgetting_plot(document)
    assert picture.png().startswith(b"\x89PNG")
    assert picture == forgetting_plot(document)
    assert picture != forgetting_plot(
        forgetting_document("bert", forgetting_spec(), lambda rate, index: (0.4, 0.3, 0.2))
    )
