"""What is done in a replicate: search, confirm and test in each arm, then the controls; what scores fits is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan, nan
from statistics import fmean
from typing import Literal

import numpy as np

from finetune_alf.experiments.budget.arms import PER_LAYER, Arm, arms
from finetune_alf.experiments.budget.line import ArmResult, Candidate, Rates, Schedule, Search, Tested
from finetune_alf.experiments.budget.spec import BudgetSpec
from finetune_alf.rates import HEAD, LayerRates
from finetune_alf.seeds import child_seed
from finetune_alf.study.sampler import Observation, suggest
from finetune_alf.study.spec import RandomSampler, n_seen_by

N_DRAWS = 20
"""How often a permutation that changes nothing is drawn again."""


@dataclass(frozen=True)
class Request:
    """A fit to score: its name, its rates, None for the probe, its seed and what it is scored on besides validation.

    A fit of a `search` is scored on some of the test texts.
    """

    key: str
    rates: LayerRates | None
    seed: int
    scored_on: Literal["search", "confirmation", "test"]


@dataclass(frozen=True)
class Scored:
    """The scores of a fit: on validation, of the kept epoch, and on the split of its request.

    Both are None where it diverged; `right` is as in `Tested`.
    """

    validation: float | None
    score: float | None
    right: str | None = None


Score = Callable[[Sequence[Request]], Sequence[Scored]]
"""Scores fits, in the order of the requests."""


@dataclass(frozen=True)
class Measured:
    """The results of a replicate."""

    arms: dict[str, ArmResult]
    baseline: Tested
    permuted: tuple[Schedule, ...]
    random: tuple[Schedule, ...]
    probe: Tested


@dataclass(frozen=True)
class Procedure:
    """A replicate of a budget, with its seed, for an encoder with `n_layers`."""

    spec: BudgetSpec
    n_layers: int
    seed: int
    score: Score

    def run(self) -> Measured:
        """Do the whole replicate."""
        baseline = self._candidate("baseline", self._baseline, self._search_baseline())
        found = {arm.name: self._arm(arm, baseline) for arm in arms(self.spec)}
        return Measured(
            arms=found,
            baseline=self._test("baseline", self._baseline),
            permuted=self._permuted(found[PER_LAYER].won.rates),
            random=self._random(),
            probe=self._tested([Request("probe", None, child_seed(self.seed, "test", 0), "test")]),
        )

    @property
    def _baseline(self) -> LayerRates:
        return self.spec.recipe.rates.at(self.n_layers)

    def _arm(self, arm: Arm, baseline: Candidate) -> ArmResult:
        search, rates = self._search(arm)
        selected = select(rates, search.validation, self.spec.n_top, self._baseline)
        candidates = [
            self._candidate(f"{arm.name}/{rank}", each, validation) for rank, (each, validation) in enumerate(selected)
        ]
        candidates.append(baseline)
        winner = best(candidates)
        test = self._test(arm.name, self._rates(candidates[winner].rates))
        return ArmResult(search=search, candidates=tuple(candidates), winner=winner, test=test)

    def _search(self, arm: Arm) -> tuple[Search, list[LayerRates]]:
        """Return the fits of an arm and their rates. Fits that do not depend on each other are scored at once."""
        params: list[dict[str, float]] = []
        scored: list[Scored] = []
        while len(scored) < arm.n_fits:
            numbers = range(len(scored), min(arm.n_fits, len(scored) + arm.lag))
            observed = list(zip(params, scored, strict=True))
            for number in numbers:
                seen = [
                    Observation(own, one.validation)
                    for own, one in observed[: n_seen_by(number, arm.lag)]
                    if one.validation is not None
                ]
                params.append(arm.params(self.n_layers, seen, child_seed(self.seed, "study"), number))
            rates = [arm.space.layer_rates(own, self.n_layers, self._baseline[HEAD]) for own in params]
            scored += self.score([self._search_request(arm, number, rates[number]) for number in numbers])
        search = Search(
            params=tuple(tuple(own.values()) for own in params),
            validation=tuple(_rounded(one.validation) for one in scored),
            test=tuple(_rounded(one.score) for one in scored),
        )
        return search, rates

    def _search_request(self, arm: Arm, number: int, rates: LayerRates) -> Request:
        return Request(f"{arm.name}/{number}", rates, child_seed(self.seed, "fit", arm.round(number)), "search")

    def _search_baseline(self) -> float | None:
        (scored,) = self.score([Request("baseline/search", self._baseline, child_seed(self.seed, "fit", 0), "search")])
        return _rounded(scored.validation)

    def _candidate(self, key: str, rates: LayerRates, validation: float | None) -> Candidate:
        seeds = [child_seed(self.seed, "confirmation", index) for index in range(self.spec.n_confirm_seeds)]
        requests = [
            Request(f"{key}/confirmation-{index}", rates, seed, "confirmation") for index, seed in enumerate(seeds)
        ]
        confirmed = tuple(_rounded(scored.score) for scored in self.score(requests))
        return Candidate(rates=_listed(rates), validation=validation, confirmation=confirmed)

    def _test(self, key: str, rates: LayerRates) -> Tested:
        seeds = [child_seed(self.seed, "test", index) for index in range(self.spec.n_test_seeds)]
        return self._tested([Request(f"{key}/test-{index}", rates, seed, "test") for index, seed in enumerate(seeds)])

    def _tested(self, requests: Sequence[Request]) -> Tested:
        scored = self.score(requests)
        right = tuple(one.right for one in scored if one.right is not None)
        return Tested(scores=tuple(_rounded(one.score) for one in scored), right=right)

    def _permuted(self, winner: Rates) -> tuple[Schedule, ...]:
        rng = np.random.default_rng(child_seed(self.seed, "permuted"))
        return self._schedules("permuted", [permuted(winner, rng) for _ in range(self.spec.n_permuted)])

    def _random(self) -> tuple[Schedule, ...]:
        space, seed = self.spec.space, child_seed(self.seed, "schedules")
        drawn = [
            suggest(RandomSampler(), space, self.n_layers, (), seed, number) for number in range(self.spec.n_random)
        ]
        rates = [space.layer_rates(params, self.n_layers, self._baseline[HEAD]) for params in drawn]
        return self._schedules("unselected", [_listed(each) for each in rates])

    def _schedules(self, key: str, schedules: Sequence[Rates]) -> tuple[Schedule, ...]:
        """Test each schedule under one seed, the same as the arms', in turn."""
        seeds = [child_seed(self.seed, "test", index % self.spec.n_test_seeds) for index in range(len(schedules))]
        return tuple(
            Schedule(rates=rates, test=self._tested([Request(f"{key}/{index}", self._rates(rates), seed, "test")]))
            for index, (rates, seed) in enumerate(zip(schedules, seeds, strict=True))
        )

    def _rates(self, rates: Rates) -> LayerRates:
        return LayerRates.of(rates[0], rates[1:], self._baseline[HEAD])


def select(
    rates: Sequence[LayerRates], validation: Sequence[float | None], n_top: int, baseline: LayerRates
) -> list[tuple[LayerRates, float]]:
    """Return the best `n_top` different rates by their mean validation score, of equal ones the earlier first.

    Rates of which a fit diverged are left out, and so is the baseline, which is a candidate anyway.
    """
    scores: dict[LayerRates, list[float]] = {}
    for each, score in zip(rates, validation, strict=True):
        scores.setdefault(each, []).append(nan if score is None else score)
    means = {each: fmean(own) for each, own in scores.items() if each != baseline and not any(map(isnan, own))}
    return sorted(means.items(), key=lambda item: -item[1])[:n_top]


def best(candidates: Sequence[Candidate]) -> int:
    """Return the index of the candidate with the highest mean on confirmation, of equal ones the first.

    One with a fit that diverged is below all others.
    """

    def mean(candidate: Candidate) -> float:
        scores = [score for score in candidate.confirmation if score is not None]
        return fmean(scores) if len(scores) == len(candidate.confirmation) else -np.inf

    return max(range(len(candidates)), key=lambda index: (mean(candidates[index]), -index))


def permuted(rates: Rates, rng: np.random.Generator) -> Rates:
    """Return the same rates in another order over the addresses; as they are where no order differs."""
    for _ in range(N_DRAWS):
        drawn = tuple(rates[index] for index in rng.permutation(len(rates)))
        if drawn != rates:
            return drawn
    return rates


def _listed(rates: LayerRates) -> Rates:
    return tuple(rates[address] for address in rates if address != HEAD)


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 6)
