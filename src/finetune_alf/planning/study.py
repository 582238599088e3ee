"""The fits of a study, planned: its trials, the search for the best single rate, and the confirmations."""

import random
from collections.abc import Iterator, Sequence

from finetune_alf.params import Params
from finetune_alf.planning.elapsed import trials_elapsed
from finetune_alf.planning.planned import ADAPTERS_NOTE, PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.registration import registration_plan
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.planning.trials import finished_trials
from finetune_alf.rates import HEAD, DecayedRates
from finetune_alf.recipe import Recipe
from finetune_alf.running.context import Context
from finetune_alf.seeds import child_seed
from finetune_alf.study.proposals import LAYERWISE_DECAY
from finetune_alf.study.spec import StudySpec

N_DRAWS = 100
"""Rate vectors drawn from a study's space: enough to know their mean work to within about two hundredths."""


class StudyPlan:
    """Plans studies: their trials, and the fits of their registration."""

    key = "studies"

    def choices(self, params: Params) -> tuple[Sequence[str], ...]:
        """Return the names of the studies."""
        return (tuple(params.studies),)

    def planned(self, ctx: Context, name: str) -> PlannedFits:
        """Return the fits of a study."""
        spec = ctx.study(name)

        def stages(predictor: Predictor) -> Iterator[StagePlan]:
            searched, own = recipes_of_space(spec, predictor.n_layers), spec.sample
            trials, done = _trials(spec, predictor.n_layers, searched), finished_trials(predictor, name, spec)
            search = predictor.stage("study", own, trials, None, trials_elapsed(done.records), spec.max_at_once)
            yield search.model_copy(update={"note": done.note})
            yield from registration_plan(predictor, name, spec, done, searched)

        notes = tuple(_notes(spec))
        return PlannedFits(name, spec.encoder, spec.recipe, (spec.sample,), stages, notes, is_one_command=False)


def _notes(spec: StudySpec) -> Iterator[str]:
    if spec.pruner is not None:
        yield "The pruner may end trials earlier: these are upper bounds."
    if spec.recipe.adapter is not None:
        yield ADAPTERS_NOTE


def _trials(spec: StudySpec, n_layers: int, searched: Sequence[Recipe]) -> list[FitGroup]:
    """Return what each trial may be: what is enqueued, then anything out of the space."""
    baseline = spec.recipe.rates.at(n_layers)
    decayed = DecayedRates(rate=spec.recipe.rates.highest, decay=LAYERWISE_DECAY, head=baseline[HEAD])
    rates = {"baseline": baseline, "decayed": decayed.at(n_layers)}
    first = [FitGroup(each, [spec.recipe.with_rates(rates[each])]) for each in spec.enqueue[: spec.n_trials]]
    n_left = spec.n_trials - len(first)
    return [*first, *([FitGroup("searched", searched, n_left)] if n_left else [])]


def recipes_of_space(spec: StudySpec, n_layers: int) -> list[Recipe]:
    """Return recipes drawn uniformly from a study's space: which rates the sampler will propose is not known before."""
    head = spec.recipe.rates.at(n_layers)[HEAD]
    draw = random.Random(child_seed(spec.seed, "plan"))  # noqa: S311 - a draw of rates
    names = list(spec.space.param_addresses(n_layers))
    drawn = [{name: spec.space.value_at(name, draw.random()) for name in names} for _ in range(N_DRAWS)]
    return [spec.recipe.with_rates(spec.space.layer_rates(params, n_layers, head)) for params in drawn]
