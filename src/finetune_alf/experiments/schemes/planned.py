"""The planned fits of a testbed: every combination on every sample."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from finetune_alf.experiments.schemes.cells import Cell, cell_job, cells, recipe_of
from finetune_alf.experiments.schemes.combination import Combination
from finetune_alf.experiments.schemes.rules import FIXED, parts_of
from finetune_alf.experiments.schemes.section import SECTION
from finetune_alf.jobs.job import FitJob
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import finished_cells
from finetune_alf.planning.planned import ADAPTERS_NOTE, PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_jobs import StageJobs
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context
from finetune_alf.schedules.pull import pull
from finetune_alf.schedules.reference import from_root


def schemes_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `schemes.<name>`."""
    spec = entry("schemes", SECTION.of(ctx.params), name)
    in_registry = [reference for reference in spec.schedules if "@" in reference]
    has_adapters = any(combination.adapter for combination in spec.combinations)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        at_hand = [reference for reference in spec.schedules if reference not in in_registry]
        root, allowed = ctx.paths.root, spec.recipe.allow_forgetting
        schedules = {each: pull(from_root(root, each), allow_forgetting=allowed) for each in at_hand}
        known = [each for each in spec.combinations if not set(in_registry) & set(parts_of(each.scheme))]
        unknown = [each for each in spec.combinations if each not in known]
        grid = cells(spec, known, schedules, predictor.n_layers)
        planned = StageJobs.of(ctx, predictor, f"schemes-{name}")

        def job(cell: Cell) -> FitJob:
            digest, precision = predictor.samples[cell.sample].card.digest, predictor.fit_runner.compute.precision
            return cell_job(cell, spec, predictor.spec, digest, precision)

        def fits_of(combination: Combination, sample: str) -> FitGroup:
            recipe = recipe_of(spec, _without(combination, in_registry), sample, schedules, predictor.n_layers)
            return FitGroup(combination.name, [recipe], spec.n_seeds)

        for sample in spec.samples:
            if sample not in predictor.samples:
                yield predictor.unprepared(sample, sample, len(spec.combinations) * spec.n_seeds)
                continue
            jobs = [(cell.combination.name, job(cell)) for cell in grid if cell.sample == sample]
            others = [fits_of(each, sample) for each in unknown]
            digests = {predictor.samples[sample].card.digest}
            finished = finished_cells(ctx.paths.cells("schemes", name), _one_of(unknown, sample), digests)
            yield from planned.stage(sample, sample, jobs, others, finished)

    notes = [ADAPTERS_NOTE] if has_adapters else []
    if in_registry:
        notes.append(f"{', '.join(in_registry)}: planned as if every layer learned; plan does not read the registry.")
    return PlannedFits(f"schemes {name}", spec.encoder, spec.recipe, spec.samples, stages, tuple(notes))


def _one_of(combinations: Sequence[Combination], sample: str) -> Callable[[Mapping[str, Any]], str | None]:
    names = {combination.name for combination in combinations}

    def name(cell: Mapping[str, Any]) -> str | None:
        own = f"{cell['scheme']}/{cell['adapter']}/{cell['curve']}"
        return own if cell["sample"] == sample and own in names else None

    return name


def _without(combination: Combination, schedules: Sequence[str]) -> Combination:
    """Leave schedules out of a combination: at the recipe's own rates every layer learns."""
    known = [part for part in parts_of(combination.scheme) if part not in schedules]
    return replace(combination, scheme="+".join(known) or FIXED)
