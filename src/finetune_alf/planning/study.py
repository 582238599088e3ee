"""What a study asks for, as `plan` sees it: its trials, its confirmations, the cells of its transfers."""

import random
from collections.abc import Iterator, Sequence

from finetune_alf.errors import DataError
from finetune_alf.experiments.transfer.schemes import scheme_recipes
from finetune_alf.experiments.transfer.spec import TransferSpec
from finetune_alf.planning.asked import ADAPTERS_NOTE, Asked
from finetune_alf.planning.elapsed import register_spent, study_spent, transfer_spent
from finetune_alf.planning.predict import Fits, Predictor, StagePlan, command_for
from finetune_alf.rates import HEAD, DecayedRates
from finetune_alf.recipe import Recipe
from finetune_alf.running.context import Context
from finetune_alf.seeds import child_seed
from finetune_alf.study.coordinator import DECAY
from finetune_alf.study.spec import StudySpec

N_DRAWS = 100
"""Rate vectors drawn from a study's space: enough to know their mean work to within about two hundredths."""


def study_asked(ctx: Context, name: str) -> Asked:
    """Return what `studies.<name>` asks for, with its registration and its transfers.

    Raises DataError, naming the stage to run, where the study's own sample is not prepared.
    """
    spec, transfer, paths = ctx.study(name), ctx.params.transfer, ctx.paths
    if (command := command_for(ctx, spec.sample)) is not None:
        folder = paths.sample(spec.sample)
        raise DataError(f"{folder}: must be there to plan with, but is not. Run `{command}` first.")
    targets = transfer.samples if name in transfer.studies else ()

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        searched, own = _searched(spec, predictor.n_layers), spec.sample
        n_confirmed = ctx.params.register_.n_top * ctx.params.register_.n_seeds
        yield predictor.stage("study", own, _trials(spec, predictor.n_layers, searched), None, study_spent(paths, name))
        confirmed = [Fits("confirmation", searched, n_confirmed)]
        yield predictor.stage("register", own, confirmed, "confirmation", register_spent(paths, name))
        for sample in targets:
            cells = _cells(spec, transfer, predictor.n_layers, searched)
            spent = transfer_spent(paths, name, sample)
            yield predictor.stage(f"transfer to {sample}", sample, cells, "test", spent)

    samples = tuple(dict.fromkeys((spec.sample, *targets)))
    return Asked(name, spec.encoder, spec.recipe, samples, stages, tuple(_notes(spec)), is_one_command=False)


def _notes(spec: StudySpec) -> Iterator[str]:
    if spec.pruner is not None:
        yield "The pruner may end trials earlier: these are the most they can take."
    if spec.recipe.adapter is not None:
        yield ADAPTERS_NOTE


def _trials(spec: StudySpec, n_layers: int, searched: Sequence[Recipe]) -> list[Fits]:
    """Return what each trial may be: what is enqueued, then anything out of the space."""
    baseline = spec.recipe.rates.at(n_layers)
    decayed = DecayedRates(rate=spec.recipe.rates.highest, decay=DECAY, head=baseline[HEAD])
    rates = {"baseline": baseline, "decayed": decayed.at(n_layers)}
    first = [Fits(each, [spec.recipe.with_rates(rates[each])]) for each in spec.enqueue[: spec.n_trials]]
    n_left = spec.n_trials - len(first)
    return [*first, *([Fits("searched", searched, n_left)] if n_left else [])]


def _cells(spec: StudySpec, transfer: TransferSpec, n_layers: int, searched: Sequence[Recipe]) -> list[Fits]:
    """Return the schemes of a transfer; which schedules a study will register, nobody knows before."""
    known = [scheme for scheme in transfer.schemes if not scheme.startswith("alf-")]
    recipes = scheme_recipes(known, spec.recipe, {}, n_layers, transfer.decay)
    return [
        Fits(scheme, [recipes[scheme]] if scheme in recipes else searched, transfer.n_seeds)
        for scheme in transfer.schemes
    ]


def _searched(spec: StudySpec, n_layers: int) -> list[Recipe]:
    """Return recipes out of a study's space, each as probable as any: a sampler's own taste is not known before."""
    head = spec.recipe.rates.at(n_layers)[HEAD]
    draw = random.Random(child_seed(spec.seed, "plan"))  # noqa: S311 - a draw of rates
    names = list(spec.space.parameters(n_layers))
    drawn = [{name: spec.space.at(draw.random()) for name in names} for _ in range(N_DRAWS)]
    return [spec.recipe.with_rates(spec.space.layer_rates(params, n_layers, head)) for params in drawn]
