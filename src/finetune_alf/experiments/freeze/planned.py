"""The fits of a freeze sweep, planned: the line search on the full model, and every level."""

from collections.abc import Iterable, Iterator

from finetune_alf.data.sample import Sample
from finetune_alf.experiments.freeze.bench import swept
from finetune_alf.experiments.freeze.cells import Cell, SweptSample, cell_job, cell_recipe, cells
from finetune_alf.experiments.freeze.levels import NONE, Level, levels
from finetune_alf.experiments.freeze.section import SECTION
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import FinishedFit, elapsed_of, finished_cells, finished_in_ledger
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor, StagePlan
from finetune_alf.running.context import Context


def freeze_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `freeze.<name>`."""
    spec = entry("freeze", SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        fits = _sweep(spec, levels(spec.n_frozen, predictor.n_layers, f"freeze.{name}.n_frozen"))
        for sample in spec.samples:
            elapsed = elapsed_of(_swept_already(ctx, name, spec, predictor, sample))
            yield predictor.stage(sample, sample, fits, "test", elapsed)

    return PlannedFits(f"freeze {name}", spec.encoder, spec.recipe, spec.samples, stages)


def _sweep(spec: FreezeSpec, grid: Iterable[Level]) -> list[FitGroup]:
    """Return a sample's fits by level; the search's fits at the rate that it finds are the first ones of the sweep."""
    n_searched, rate = (len(spec.rates) - 1) * spec.n_search_seeds, spec.rates[0]
    no_sample = SweptSample("", "", (), "test")
    swept_cells = [Cell(no_sample, level, rate, 0, 0) for level in grid]
    return [
        FitGroup(
            cell.level.name,
            [cell_recipe(spec, cell)],
            spec.n_seeds + (n_searched if cell.level.name == NONE else 0),
        )
        for cell in swept_cells
    ]


def _swept_already(ctx: Context, name: str, spec: FreezeSpec, predictor: Predictor, sample: str) -> list[FinishedFit]:
    """Return the cells that are done, and of the search what is no cell: that is in the ledger alone."""
    found = finished_cells(
        ctx.paths.cells("freeze", name),
        lambda cell: _level(cell["n_frozen"]) if cell["sample"] == sample else None,
    )
    drawn = predictor.samples.get(sample)
    if not isinstance(drawn, Sample):
        return found
    full, own = levels(("none",), predictor.n_layers), swept(name, spec, drawn)
    grid = cells(spec, own, full, spec.rates, spec.n_search_seeds)
    jobs = [cell_job(spec, cell, predictor.spec) for cell in grid]
    searched = finished_in_ledger(ctx.paths.ledger(f"freeze-{name}"), jobs, NONE)
    return [*found, *(fit for fit in searched if fit not in found)]


def _level(n_frozen: int | None) -> str:
    return NONE if n_frozen is None else str(n_frozen)
