"""Budgets on the page: the whole of a planted one, an incomplete one, and the summary."""

from pathlib import Path

from planted_budgets import SPEC, Response, document, line, lines

from finetune_alf.experiments.budget.page import budget_part
from finetune_alf.experiments.budget.procedure import Scored
from finetune_alf.paths import Paths
from golden import golden


def part_of(root, own):
    document(own).write(Paths(root).document("budget", "small"))
    return budget_part(Paths(root))


def test_the_page_of_a_budget_is_the_one_that_was_looked_at(tmp_path):
    part = part_of(tmp_path, lines(gain=0.1))
    text = "\n".join(part.in_short) + "\n\n" + part.section.markdown
    assert text == golden(Path(__file__).with_name("budget_page.md"), text)
    assert all(png.startswith(b"\x89PNG") for png in part.section.files().values())
    kinds = ("contrasts", "replicates", "curves", "optimism", "spread")  # a study of this name has small-forest.png
    assert sorted(part.section.pictures) == sorted(f"small-{kind}.png" for kind in kinds)


def test_an_incomplete_budget_says_so_first(tmp_path):
    part = part_of(tmp_path, lines()[:1])
    assert "**1 of 6 replicates: estimates so far, no decisions.**" in part.section.markdown
    assert part.in_short[0].startswith("Budget `small`, 1 of 6 replicates")


def test_a_single_sample_says_little_of_others(tmp_path):
    spec = SPEC.model_copy(update={"samples": SPEC.samples[:1]})
    own = [each for each in lines() if each.sample == spec.samples[0]]
    document(own, spec).write(Paths(tmp_path).document("budget", "small"))
    assert "; 1 sample says little of others." in budget_part(Paths(tmp_path)).section.markdown


def test_there_is_no_part_where_nothing_has_run(tmp_path):
    assert budget_part(Paths(tmp_path)) is None


def test_the_constant_prediction_of_scores_is_their_mean(tmp_path):
    document(lines(n=1)).model_copy(update={"metric": "pearson"}).write(Paths(tmp_path).document("budget", "small"))
    page = budget_part(Paths(tmp_path)).section.markdown
    assert "| the mean score for all texts | – |" in page
    assert "one class" not in page
    assert "| ridge regression on frozen features |" in page
    assert "logistic" not in page


class Diverging(Response):
    """The probe and one of the other orders diverge."""

    def scored(self, request):
        return Scored(None, None) if request.key in ("probe", "permuted/0") else super().scored(request)


def test_what_diverged_is_counted_and_named(tmp_path):
    own = [line(sample, 0, Diverging()) for sample in SPEC.samples]
    page = part_of(tmp_path, own).section.markdown
    assert (
        "Diverged, and counted with a score of 0: winner over layers, in other orders, 2 fits; logistic regression on "
        "frozen features, 2 fits." in page
    )
    assert "Diverged" not in part_of(tmp_path, lines(n=1)).section.markdown
