"""The planned fits of a budget: those of the replicates that are kept, and of the others."""

from collections.abc import Iterator
from dataclasses import replace

from finetune_alf.data.sample import Sample
from finetune_alf.documents import EncoderIdentity
from finetune_alf.experiments.budget.arms import Arm, arms
from finetune_alf.experiments.budget.kept import lines_of, read_replicates, store
from finetune_alf.experiments.budget.replicates import drawn_sample, ledger_of, n_fits, replicates, search_sample
from finetune_alf.experiments.budget.section import SECTION
from finetune_alf.experiments.budget.spec import BudgetSpec
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import ElapsedTime
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.rates import HEAD
from finetune_alf.recipe import Recipe
from finetune_alf.running.context import Context
from finetune_alf.study.sampler import suggest
from finetune_alf.study.spec import RandomSampler

N_DRAWS = 50
"""Rates drawn from the space of an arm, to know the mean work of its fits."""

NOTE = "Fits that two arms have in common are done once, but counted in both where they are not done yet."
FINISHED = "finished"


def budget_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `budget.<name>`."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        encoder = EncoderIdentity(name=spec.encoder, identity=predictor.encoder.identity, n_layers=predictor.n_layers)
        present = {each: sample for each, sample in predictor.samples.items() if isinstance(sample, Sample)}
        own = replicates(spec, present, encoder)
        kept = lines_of(read_replicates(store(ctx.paths, name, spec)), own)
        for sample in spec.samples:
            done = [line for line in kept if line.sample == sample]
            n_kept, n_missing = sum(line.n_fits for line in done), spec.n_replicates - len(done)
            if sample not in present:
                yield predictor.unprepared("replicates", sample, n_missing * n_fits(spec))
                continue
            identities = {line.identity for line in done}
            missing = [each for each in own if each.sample.name == sample and each.identity not in identities]
            begun = [fit.seconds for each in missing for fit in Ledger(ledger_of(ctx.paths, name, each)).results]
            elapsed = _elapsed(n_kept + len(begun), sum(line.seconds for line in done) + sum(begun))
            first = next(each for each in own if each.sample.name == sample)
            drawn = search_sample(spec, drawn_sample(spec, first))
            with_draw = replace(predictor, samples={**predictor.samples, sample: drawn})
            groups = list(_groups(spec, predictor.n_layers, n_missing, n_kept))
            yield with_draw.stage("replicates", sample, groups, "test", elapsed)

    return PlannedFits(f"budget {name}", spec.encoder, spec.recipe, spec.samples, stages, (NOTE,))


def _groups(spec: BudgetSpec, n_layers: int, n_replicates: int, n_kept: int) -> Iterator[FitGroup]:
    """Yield the fits of the replicates that are kept, and those of so many others.

    Tests and confirmations may have any rates of an arm.
    """
    each = arms(spec)
    if n_kept:
        yield FitGroup(FINISHED, _recipes(spec, each[0], n_layers), n_kept)
    if not n_replicates:
        return
    for arm in each:
        n_own = arm.n_fits + spec.n_top * spec.n_confirm_seeds + spec.n_test_seeds
        yield FitGroup(arm.name, _recipes(spec, arm, n_layers), n_own * n_replicates)
    n_baseline = 1 + spec.n_confirm_seeds + spec.n_test_seeds
    yield FitGroup("baseline", [spec.recipe], n_baseline * n_replicates)
    yield FitGroup("probe", [spec.probe], n_replicates)
    n_schedules = (spec.n_permuted + spec.n_random) * n_replicates
    yield FitGroup("schedules", _recipes(spec, each[0], n_layers), n_schedules)


def _recipes(spec: BudgetSpec, arm: Arm, n_layers: int) -> list[Recipe]:
    head = spec.recipe.rates.at(n_layers)[HEAD]
    drawn = [suggest(RandomSampler(), arm.space, n_layers, (), spec.seed, number) for number in range(N_DRAWS)]
    return [spec.recipe.with_rates(arm.space.layer_rates(params, n_layers, head)) for params in drawn]


def _elapsed(n: int, seconds: float) -> ElapsedTime | None:
    return ElapsedTime(n_fits=n, fit_s=seconds / n, seconds=seconds, kinds={FINISHED: n}) if n else None
