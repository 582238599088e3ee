"""An experiment that another package brings: the same recipe with batches of several sizes."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from finetune_alf.compute import EnvironmentShare, Precision
from finetune_alf.compute.environment import shares
from finetune_alf.documents import Document
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.experiments.cell_line import CellLine, fields_of
from finetune_alf.experiments.experiment import Help, NamedExperiment
from finetune_alf.jobs.job import FitJob
from finetune_alf.params.checks import Disagreement, RawParams, check_fits
from finetune_alf.params.section import entry, named_section
from finetune_alf.paths import Name, Paths
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.stage_jobs import StageJobs
from finetune_alf.recipe import Recipe
from finetune_alf.report.part import DocumentPart, Part, part_of_each
from finetune_alf.report.section import Section
from finetune_alf.running.bench import open_samples
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, LoggedFields, fitting
from finetune_alf.seeds import child_seed
from finetune_alf.spec import Spec
from finetune_alf.train.result import RecordedFit


@dataclass(frozen=True)
class Cell:
    batch: int
    seed: int

    @property
    def key(self) -> str:
        return f"{self.batch}/seed-{self.seed}"


class BatchesSpec(Spec):
    """A recipe, and the sizes of batches that take the place of its own."""

    encoder: Name
    sample: Name
    recipe: Recipe
    batches: tuple[int, ...]
    n_seeds: int = 1

    def recipe_of(self, batch: int) -> Recipe:
        return self.recipe.model_copy(update={"batch": batch})

    @property
    def cells(self) -> list[Cell]:
        return [Cell(batch, seed) for batch in self.batches for seed in range(self.n_seeds)]

    def job(self, cell: Cell, encoder: EncoderSpec, sample: str, precision: Precision) -> FitJob:
        recipe, seed = self.recipe_of(cell.batch), child_seed(cell.seed, "batches")
        return FitJob(cell.key, recipe, encoder, sample, seed, precision, "test")


class BatchesLine(CellLine):
    batch: int


class BatchesDocument(Document):
    name: str
    environments: tuple[EnvironmentShare, ...]
    scores: dict[str, float]


def check(raw: RawParams, name: str, spec: dict[str, Any]) -> Iterator[Disagreement]:
    yield from check_fits(raw, ("batches", name), spec)


class BatchesExperiment(NamedExperiment):
    key = "batches"
    section = named_section("batches", BatchesSpec, check)
    help = Help("Compare sizes of batches.", "Fit the recipe of NAME with each size of its batches.", "small")

    def run(self, ctx: Context, *arguments: str) -> None:
        (name,) = arguments
        spec = entry(self.key, self.section.of(ctx.params), name)
        with ctx.lock(f"batches-{name}"):
            bench = open_samples(ctx, spec.encoder, [spec.sample])
            digest = bench.samples[spec.sample].card.digest

            def job(cell: Cell) -> FitJob:
                return spec.job(cell, bench.encoder_spec, digest, bench.fit_runner.compute.precision)

            def line(cell: Cell, result: RecordedFit) -> BatchesLine:
                return BatchesLine(batch=cell.batch, seed=cell.seed, **fields_of(result))

            def logged(cell: Cell, result: RecordedFit) -> LoggedFields:
                return LoggedFields({"test.accuracy": result.score}, {"alf.batch": str(cell.batch)})

            with fitting(
                ctx,
                self.key,
                name,
                fit_runner=bench.fit_runner,
                n_layers=bench.encoder.n_layers,
                n_fits=len(spec.cells),
                tags={"alf.batches": name},
            ) as fitter:
                fits = fitter.fit(spec.cells, CellKind(job, line, logged), ctx.paths.cells(self.key, name))
                scores = {
                    str(batch): fmean(result.score or 0.0 for cell, result in fits if cell.batch == batch)
                    for batch in spec.batches
                }
                environments = shares(result.environment for _, result in fits)
                document = BatchesDocument(name=name, environments=environments, scores=scores)
                document.write(ctx.paths.document(self.key, name))
        ctx.console.log(f"{name}: {scores}")

    def planned(self, ctx: Context, name: str) -> PlannedFits:
        spec = entry(self.key, self.section.of(ctx.params), name)

        def stages(predictor: Any) -> Iterator[Any]:
            sample, precision = predictor.samples.get(spec.sample), ctx.compute.precision
            if sample is None:
                yield predictor.unprepared(spec.sample, spec.sample, len(spec.cells))
                return
            jobs = [
                (str(cell.batch), spec.job(cell, predictor.spec, sample.card.digest, precision)) for cell in spec.cells
            ]
            yield from StageJobs.of(ctx, predictor, f"{self.key}-{name}").stage(spec.sample, spec.sample, jobs)

        return PlannedFits(f"batches {name}", spec.encoder, spec.recipe, (spec.sample,), stages)

    def part(self, paths: Paths) -> Part | None:
        return part_of_each(paths.experiment(self.key), BatchesDocument, _document_part)


def _document_part(document: BatchesDocument) -> DocumentPart:
    section = Section()
    section.table(("batch", "accuracy"), [(size, f"{score:.3f}") for size, score in document.scores.items()])
    line = f"Batches `{document.name}`: {len(document.scores)} sizes."
    return DocumentPart(f"Batches `{document.name}`", section, (line,))


BATCHES = BatchesExperiment()
