"""Stage `multitask`: fit a mixture under each cell's recipe, and compare the cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.compute.environment import shares
from finetune_alf.data.mixture import AnySample, load_any_sample, task_infos
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import EncoderError, InputError
from finetune_alf.experiments.multitask.cells import OVERALL, Cell, MultitaskLine, cell_job, cell_line, cells
from finetune_alf.experiments.multitask.document import CellResult, MultitaskDocument
from finetune_alf.experiments.multitask.section import SECTION
from finetune_alf.experiments.multitask.spec import MultitaskSpec
from finetune_alf.experiments.multitask.table import Truths, cells_table, majority_baselines
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.params.section import entry
from finetune_alf.recipe.task_plans import task_plans
from finetune_alf.running.bench import encoder_spec_of, fit_runner_of, fit_tags
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, LoggedFields, fitting
from finetune_alf.running.summary import ScoreRow, scores_summary
from finetune_alf.score_text import score_text
from finetune_alf.train.result import RecordedFit

Fits = Sequence[tuple[Cell, RecordedFit]]


def multitask(ctx: Context, name: str) -> None:
    """Fit the cells of `multitask.<name>` that are not done yet; write all cells and the table.

    All experiments share one ledger: a cell of two of them, such as a common baseline, is fitted once.
    """
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)
    with ctx.lock("multitask"):
        bench, grid = _open(ctx, name, spec), cells(spec)
        with fitting(
            ctx,
            "multitask",
            name,
            fit_runner=bench.fit_runner,
            n_layers=bench.n_layers,
            n_fits=len(grid),
            tags={**bench.tags, "alf.multitask": name},
            ledger="multitask",
        ) as fitter:
            fits = fitter.fit(grid, bench.kind, ctx.paths.cells("multitask", name))
            document = bench.document(fits)
            document.write(ctx.paths.document("multitask", name))
            rows = [
                ScoreRow(f"{cell}/{OVERALL}", each.scores.overall if each.scores else None, each.difference)
                for cell, each in document.cells.items()
            ]
            by_cell = ", ".join(f"{cell} {score_text(score)}" for cell, score in _scores(document.cells).items())
            found = f"{name}, overall: {by_cell or 'every fit diverged'}"
            fitter.runs.show(scores_summary(found, "overall score", rows))
    ctx.console.log(found)


@dataclass(frozen=True)
class _MixtureBench:
    """An experiment with its encoder and mixture loaded; `n_layers` and `identity` are the encoder's."""

    name: str
    spec: MultitaskSpec
    sample: AnySample
    encoder_spec: EncoderSpec
    identity: str
    n_layers: int
    fit_runner: FitRunner

    @property
    def tags(self) -> dict[str, str]:
        return fit_tags(self.identity, self.sample)

    @property
    def truths(self) -> Truths:
        return {task: sample.splits[self.spec.score_on].labels for task, sample in self.sample.tasks.items()}

    @property
    def kind(self) -> CellKind[Cell]:
        """How a cell is fitted, written and logged."""
        digest, precision = self.sample.card.digest, self.fit_runner.compute.precision

        def job(cell: Cell) -> FitJob:
            return cell_job(cell, self.spec, self.encoder_spec, digest, precision)

        def line(cell: Cell, result: RecordedFit) -> MultitaskLine:
            return cell_line(cell, result, self.n_layers)

        return CellKind(job, line, self._logged)

    def document(self, fits: Fits) -> MultitaskDocument:
        """Return the table."""
        spec, tasks = self.spec, self.spec.recipe.tasks
        assert tasks  # noqa: S101 - the spec checks it
        plans = task_plans(spec.recipes()[spec.baseline], task_infos(self.sample), OVERALL)
        metrics = {task: plan.metric for task, plan in plans.items()}
        by_cell: dict[str, dict[int, RecordedFit]] = {}
        for cell, fit in fits:
            by_cell.setdefault(cell.name, {})[cell.seed] = fit
        card = self.sample.card
        return MultitaskDocument(
            name=self.name,
            encoder=EncoderIdentity(name=spec.encoder, identity=self.identity, n_layers=self.n_layers),
            sample=SampleIdentity(name=self.sample.name, digest=card.digest, counts=card.counts),
            recipe=spec.recipe,
            vary=spec.vary,
            baseline=spec.baseline,
            score_on=spec.score_on,
            n_seeds=spec.n_seeds,
            n_texts={task: len(truth) for task, truth in self.truths.items()},
            metrics={task: metric.name for task, metric in metrics.items()},
            majority_baselines=majority_baselines(tasks, self.truths, metrics),
            environments=shares(result.environment for _, result in fits),
            cells=cells_table(spec, self.truths, metrics, by_cell, self._n_parameters()),
        )

    def _n_parameters(self) -> dict[str, int]:
        recipes = self.spec.recipes()
        encoders = {
            name: self.fit_runner.loader.encoder_for(self.encoder_spec, recipe, self.sample)
            for name, recipe in recipes.items()
        }
        return {name: sum(each.numel() for each in encoder.model.parameters()) for name, encoder in encoders.items()}

    def _logged(self, cell: Cell, result: RecordedFit) -> LoggedFields:
        split, tasks = self.spec.score_on, result.tasks or {}
        by_task = {f"{split}.{task}.{each.metric}": each.score for task, each in tasks.items()}
        tags = {**self.tags, "alf.cell": cell.name, "alf.seed": str(cell.seed)}
        return LoggedFields({f"{split}.{OVERALL}": result.score, **by_task}, tags)


def _open(ctx: Context, name: str, spec: MultitaskSpec) -> _MixtureBench:
    """Load encoder and mixture, and check every cell's recipe against them.

    Raises DataError, naming the stage to run, when the mixture is not there, EncoderError for the encoder, and
    InputError, naming the cell, for a recipe that does not suit them.
    """
    folder = ctx.paths.sample(spec.sample)
    sample, encoder_spec = load_any_sample(folder), encoder_spec_of(ctx, spec.encoder)
    fit_runner = fit_runner_of(ctx, {sample.card.digest: folder})
    for cell, recipe in spec.recipes().items():
        try:
            encoder = fit_runner.loader.encoder_for(encoder_spec, recipe, sample)
            recipe.rates.at(encoder.n_layers)
        except EncoderError:
            raise
        except InputError as error:
            raise type(error)(f"multitask.{name}, cell {cell}: {error}") from None
    return _MixtureBench(name, spec, sample, encoder_spec, encoder.identity, encoder.n_layers, fit_runner)


def _scores(cells: Mapping[str, CellResult]) -> dict[str, float]:
    return {name: cell.scores.overall.mean for name, cell in cells.items() if cell.scores}
