"""The fits of a freeze sweep, planned: the line search on the full model, and every level."""

from collections.abc import Iterable, Iterator

from finetune_alf.data.sample import Sample
from finetune_alf.experiments.freeze.bench import sweep_sample
from finetune_alf.experiments.freeze.cells import cell_job, cells, level_recipe
from finetune_alf.experiments.freeze.levels import FULL_MODEL, Level, levels
from finetune_alf.experiments.freeze.section import SECTION
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import FinishedFit, elapsed_of, finished_cells, finished_in_ledger
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context


def freeze_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `freeze.<name>`."""
    spec = entry("freeze", SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        fits = _fits(spec, levels(spec.n_frozen, predictor.n_layers, f"freeze.{name}.n_frozen"))
        for sample in spec.samples:
            elapsed = elapsed_of(_finished(ctx, name, spec, predictor, sample))
            yield predictor.stage(sample, sample, fits, "test", elapsed)

    return PlannedFits(f"freeze {name}", spec.encoder, spec.recipe, spec.samples, stages)


def _fits(spec: FreezeSpec, grid: Iterable[Level]) -> list[FitGroup]:
    """Return a sample's fits by level; the search's fits at the selected rate are the first ones of the sweep."""
    n_search_only = (len(spec.rates) - 1) * spec.n_search_seeds
    return [
        FitGroup(
            level.name,
            [level_recipe(spec, level, spec.rates[0])],
            spec.n_seeds + (n_search_only if level.name == FULL_MODEL else 0),
        )
        for level in grid
    ]


def _finished(ctx: Context, name: str, spec: FreezeSpec, predictor: Predictor, sample: str) -> list[FinishedFit]:
    """Return a sample's finished fits: its cells, and those of the search, which only the ledger has."""
    finished = finished_cells(
        ctx.paths.cells("freeze", name),
        lambda cell: _level_name(cell["n_frozen"]) if cell["sample"] == sample else None,
    )
    loaded = predictor.samples.get(sample)
    if not isinstance(loaded, Sample):
        return finished
    full = levels(("none",), predictor.n_layers)
    grid = cells(spec, sweep_sample(name, spec, loaded), full, spec.rates, spec.n_search_seeds)
    jobs = [cell_job(spec, cell, predictor.spec, predictor.fit_runner.compute.precision) for cell in grid]
    searched = finished_in_ledger(ctx.paths.ledger(f"freeze-{name}"), jobs, FULL_MODEL)
    return [*finished, *(fit for fit in searched if fit not in finished)]


def _level_name(n_frozen: int | None) -> str:
    return FULL_MODEL if n_frozen is None else str(n_frozen)
