"""The decay grid: its recipes, its comparisons, the published errors, refused params, and its page."""

from pathlib import Path

import pytest
from planted_grids import TRUTH, grid_document, grid_spec, planted
from pydantic import ValidationError

from finetune_alf.experiments.decay.compare import compare
from finetune_alf.experiments.decay.figure import decay_plot
from finetune_alf.experiments.decay.page import decay_part
from finetune_alf.experiments.decay.published import ERRORS_PERCENT, published_error
from finetune_alf.paths import Paths
from finetune_alf.stats import NO_EVIDENCE
from golden import golden, page_of


def n_wrong(rate, factor, index):
    """20 of 200 wrong without decay, 10 at .95, 60 at .9; as without decay at .85, but for the first seed's text."""
    return {1.0: 20, 0.95: 10, 0.9: 60, 0.85: 20 + (index == 0)}[factor] + 5 * (rate == 2.0e-5)


def test_the_default_is_the_grid_of_the_thesis_and_each_pair_of_it_has_a_published_error():
    assert set(grid_spec().grid) == set(ERRORS_PERCENT)
    assert published_error("imdb-small", 2.0e-5, 0.95) == pytest.approx(0.054)
    assert published_error("imdb", 1e-5, 0.95) is None
    assert published_error("sst2", 2.0e-5, 0.95) is None


def test_each_layer_below_the_top_has_the_factor_times_the_rate_above_it_and_the_head_its_own():
    rates = grid_spec().recipe_at(2e-5, 0.5).rates.at(2)
    assert rates.layers == pytest.approx((1e-5, 2e-5))
    assert (rates["embeddings"], rates["head"]) == (pytest.approx(5e-6), 1e-3)
    assert len(set(grid_spec().recipe_at(2e-5, 1.0).rates.at(2).layers)) == 1


def test_accuracies_and_differences_are_from_no_decay_at_the_same_rate():
    pairs = {(pair.rate, pair.factor): pair for pair in compare("imdb", TRUTH, planted(grid_spec(), n_wrong))}
    assert pairs[2.5e-5, 1.0].accuracy.mean == pytest.approx(0.9)
    assert pairs[2.0e-5, 1.0].accuracy.mean == pytest.approx(0.875)
    assert pairs[2.5e-5, 1.0].difference is pairs[2.0e-5, 1.0].difference is None
    for rate in (2.5e-5, 2.0e-5):
        assert pairs[rate, 0.95].difference.mean == pytest.approx(0.05)
        verdicts = [pairs[rate, factor].difference.verdict for factor in (0.95, 0.9, 0.85)]
        assert verdicts == ["better", "worse", NO_EVIDENCE]


def test_without_a_factor_of_1_nothing_is_compared_and_a_pair_may_diverge():
    spec = grid_spec(rates=(2e-5,), factors=(0.95, 0.9))
    results = planted(spec, lambda rate, factor, index: None if factor == 0.9 else 10)
    kept, diverged = compare("sst2", TRUTH, results)
    assert kept.difference is diverged.difference is diverged.accuracy is None
    assert (kept.n_seeds, kept.n_diverged, diverged.n_seeds, diverged.n_diverged) == (5, 0, 0, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rates": (2e-5, 2e-5)}, "rates must name each once, but got 2e-5 again"),
        ({"rates": (2e-5, 2.0000001e-5)}, "rates must name each once, but got 2e-5 again"),
        ({"rates": (4e-4,)}, "rates must be at most 1e-4"),
        ({"factors": (1.0, 1.0)}, "factors must name each once, but got 1 again"),
        ({"factors": (0.9, 0.90000001)}, "factors must name each once, but got 0.9 again"),
        ({"factors": (1.1,)}, "less than or equal to 1"),
        ({"recipe": {"rates": {"kind": "decayed", "rate": 1e-5}}}, "recipe.rates must be uniform"),
    ],
)
def test_what_cannot_be_a_grid_is_refused(changes, message):
    if isinstance(changes.get("recipe"), dict):
        changes["recipe"] = grid_spec().recipe.model_dump() | changes["recipe"]
    with pytest.raises(ValidationError, match=message):
        grid_spec(**changes)


def test_the_page_is_what_the_documents_say(tmp_path):
    paths = Paths(tmp_path)
    plain = grid_spec(sample="films", rates=(2e-5,), factors=(1.0, 0.9), n_seeds=2)
    for document in (
        grid_document("bert", grid_spec(), n_wrong),
        grid_document("plain", plain, lambda rate, factor, index: None if factor == 0.9 else 10 + index),
    ):
        document.write(paths.document("decay", document.name))
    part = decay_part(paths)
    page = page_of(part)
    assert page == golden(Path(__file__).with_name("decay_page.md"), page)
    assert list(part.section.pictures) == ["bert-decay.png", "plain-decay.png"]


def test_a_factor_that_gets_every_text_wrong_counts_as_tested_though_its_p_is_0(tmp_path):
    grid = grid_document("steep", grid_spec(rates=(1e-5,), factors=(1.0, 0.5)), lambda _, f, __: 200 * (f < 1))
    assert grid.pairs[1].difference.p_holm == 0
    paths = Paths(tmp_path)
    grid.write(paths.document("decay", "steep"))
    (line,) = decay_part(paths).in_short
    assert line.endswith("Of 1 factor tested against no decay, 0 better and 1 worse.")


@pytest.mark.parametrize("factors", [(1.0, 0.9), (0.95, 0.9)])
def test_differences_from_no_decay_are_named_where_there_are_some(tmp_path, factors):
    grid_document("some", grid_spec(factors=factors), lambda *_: 10).write(Paths(tmp_path).document("decay", "some"))
    page = decay_part(Paths(tmp_path)).section.markdown
    assert ("Differences are from a factor of 1" in page) is (1.0 in factors)


def test_without_a_grid_there_is_no_part(tmp_path):
    assert decay_part(Paths(tmp_path)) is None


def test_the_same_document_gives_the_same_picture_and_another_document_another():
    document = grid_document("bert", grid_spec(), n_wrong)
    picture = decay_plot(document)
    assert picture.png().startswith(b"\x89PNG")
    assert picture == decay_plot(document)
    assert picture != decay_plot(grid_document("bert", grid_spec(), lambda rate, factor, index: 10))
