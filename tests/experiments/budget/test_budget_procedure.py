"""A replicate's procedure: equal budgets, what selects and what does not, controls, and what is concluded."""

import numpy as np
import pytest
from planted_budgets import SPEC, Response, document, line, lines
from pydantic import ValidationError

from finetune_alf.experiments.budget.arms import arms
from finetune_alf.experiments.budget.line import Candidate, packed, unpacked
from finetune_alf.experiments.budget.procedure import best, permuted, select
from finetune_alf.experiments.budget.spec import BudgetSpec
from finetune_alf.rates import UniformRates
from finetune_alf.study.space import LogSpace
from finetune_alf.study.spec import TpeSampler


def requests(**more):
    response = Response(**more)
    line("films", 0, response)
    return response.requests


def test_arms_have_equal_budgets_and_rates_on_one_scale():
    layers, single, decayed, drawn = arms(SPEC)
    assert [arm.n_fits for arm in (layers, single, decayed, drawn)] == [8, 8, 8, 8]
    assert single.space.rates == decayed.space.rate.rates == (1e-5, 1e-4)
    assert layers.space == drawn.space == SPEC.space
    assert layers.sampler == decayed.sampler == SPEC.sampler
    (single,) = (arm for arm in arms(SPEC.model_copy(update={"n_fits": 7})) if arm.sampler is None)
    assert single.n_fits == 6  # whole rounds


def test_a_space_with_a_draw_by_which_nothing_learns_is_refused():
    recipe = SPEC.recipe.model_copy(update={"rates": UniformRates(rate=1e-5, head=0.0)})
    fields = {name: getattr(SPEC, name) for name in type(SPEC).model_fields} | {"recipe": recipe}
    with pytest.raises(ValidationError, match="space must be above 0 where the head does not learn"):
        BudgetSpec(**fields)
    assert BudgetSpec(**fields | {"space": LogSpace(low=1e-6, high=1e-4)}).recipe == recipe


def test_a_log_space_has_single_rates_in_half_decades():
    spec = SPEC.model_copy(update={"space": LogSpace(low=1e-6, high=1e-4)})
    assert len(arms(spec)[1].space.rates) == 5
    assert arms(spec)[2].space.rate == spec.space


@pytest.mark.parametrize(("lag", "sizes"), [(1, [1] * 8), (3, [3, 3, 2])])
def test_as_many_fits_of_a_search_run_at_once_as_its_lag(lag, sizes):
    found = []

    class Counted(Response):
        def __call__(self, requests):
            if requests[0].key.startswith("per_layer/") and requests[0].scored_on == "search":
                found.append(len(requests))
            return super().__call__(requests)

    line("films", 0, Counted(), SPEC.model_copy(update={"sampler": TpeSampler(n_startup_trials=2, lag=lag)}))
    assert found == sizes


def test_seeds_are_shared_by_the_arms_and_differ_between_search_confirmation_and_test():
    seeds = {}
    for request in requests():
        seeds.setdefault(request.scored_on, set()).add(request.seed)
    assert [len(seeds[each]) for each in ("search", "confirmation", "test")] == [4, 2, 3]  # the grid has four rounds
    assert len(set().union(*seeds.values())) == 9


def test_each_arm_searches_confirms_its_best_and_tests_the_winner():
    keys = [request.key for request in requests()]
    assert sum(key.startswith("per_layer/") and "/confirmation" not in key and "test" not in key for key in keys) == 8
    assert sum(key.startswith("per_layer/") and "/confirmation" in key for key in keys) == 6
    assert sum(key.startswith("baseline/confirmation") for key in keys) == 2
    assert [sum(key.startswith(f"{each}/test-") for key in keys) for each in ("per_layer", "baseline")] == [3, 3]
    assert [sum(key.startswith(each) for key in keys) for each in ("permuted", "unselected", "probe")] == [3, 3, 1]


def test_selection_reads_no_test_score():
    """With other test scores, everything but the tests is as before."""

    class Other(Response):
        def scored(self, request):
            found = super().scored(request)
            return found if request.scored_on == "confirmation" else found.__class__(found.validation, 0.1, None)

    one, other = line("films", 0, Response(0.1)), line("films", 0, Other(0.1))
    for name, arm in one.arms.items():
        assert arm.candidates == other.arms[name].candidates
        assert arm.winner == other.arms[name].winner
        assert arm.search.params == other.arms[name].search.params


def test_the_best_different_rates_are_selected_by_their_means_without_the_baseline():
    a, b, c, d = (UniformRates(rate=rate).at(2) for rate in (1e-5, 2e-5, 3e-5, 4e-5))
    found = select([a, b, a, c, d, b], [0.5, 0.9, 0.8, None, 0.6, 0.3], 3, baseline=d)
    assert found == [(a, pytest.approx(0.65)), (b, pytest.approx(0.6))]


def test_the_winner_is_the_best_on_confirmation_and_of_equal_ones_the_first():
    def candidate(*scores):
        return Candidate(rates=(1e-5,), validation=0.5, confirmation=scores)

    assert best([candidate(0.5, 0.6), candidate(0.6, 0.6), candidate(0.7, 0.5), candidate(0.9, None)]) == 1


def test_a_permutation_has_the_same_rates_elsewhere_and_a_uniform_one_is_as_it_was():
    rng = np.random.default_rng(1)
    rates = (0.0, 1e-5, 1e-4)
    drawn = [permuted(rates, rng) for _ in range(20)]
    assert all(sorted(each) == sorted(rates) and each != rates for each in drawn)
    assert permuted((1e-5, 1e-5), rng) == (1e-5, 1e-5)


def test_correct_predictions_are_packed():
    right = np.array([True, False, True, True, False, False, True, False, True])
    assert unpacked(packed(right), 9).tolist() == right.tolist()


def test_the_same_seed_gives_the_same_replicate():
    assert line("films", 0, Response(0.05)) == line("films", 0, Response(0.05))


def test_a_gain_of_rates_by_layer_is_found_and_equal_arms_are_not_called_different():
    gain = document(lines(gain=0.2, n=3, noise=0.005))
    assert gain.contrasts["single_rate"].pooled.mean > 0.1
    assert gain.contrasts["single_rate"].p == 2 / 2**6
    equal = document(lines(n=3, noise=0.005))
    assert all(contrast.decision in (None, "no practical difference") for contrast in equal.contrasts.values())


def test_an_incomplete_budget_has_estimates_and_no_decision():
    part = document(lines(gain=0.2, n=3)[:5])
    assert not part.is_complete
    assert part.pilot is None
    assert {contrast.decision for contrast in part.contrasts.values()} == {None}
    assert part.contrasts["single_rate"].pooled.n_replicates == 5


def test_a_pilot_says_how_many_replicates_the_margin_needs():
    found = document(lines(n=3)).pilot
    assert found.n_replicates == 3
    assert all(n is None or n >= 2 for n in found.needed.values())


def test_the_baseline_is_the_last_candidate_of_every_arm_by_its_rates_without_the_head():
    rates = SPEC.recipe.rates.at(2)
    for arm in line("films", 0, Response()).arms.values():
        assert arm.candidates[-1].rates == (rates["embeddings"], *rates.layers)
