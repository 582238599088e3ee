"""Stage `fit`: fit a study's encoder for use, calibrate it, and save it with its model card."""

from dataclasses import dataclass, replace

from finetune_alf.classifier.folder import check_can_be_saved
from finetune_alf.classifier.record import is_saved, read_record
from finetune_alf.classifier.saving import Saving, SavingRunner
from finetune_alf.comparison import mean_score, seeds_scores
from finetune_alf.compute.environment import shares
from finetune_alf.errors import InputError
from finetune_alf.experiments.fit.card import CARD_FILE, model_card
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.experiments.fit.scheme import Chosen, check_can_be_fitted, chosen_scheme
from finetune_alf.experiments.fit.section import SECTION
from finetune_alf.experiments.fit.spec import FitSpec
from finetune_alf.experiments.scheme_inputs import scheme_inputs
from finetune_alf.experiments.scheme_table import scheme_recipes
from finetune_alf.experiments.transfer.cells import Cell, cells
from finetune_alf.experiments.transfer.stage import transfer_kind
from finetune_alf.files import write_text
from finetune_alf.metrics import majority_baseline, sample_metric
from finetune_alf.report.numbers import estimate, score
from finetune_alf.running.bench import Bench, open_bench
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import Fitter, fitting
from finetune_alf.train.result import RecordedFit


def fit(ctx: Context, study: str) -> None:
    """Fit the classifier of a study that is not saved yet; write its line, its document and its model card.

    Raises InputError for a scheme that leaves nothing to save and for a fit that diverged, and EncoderError for an
    encoder of random weights.
    """
    bench, spec = open_bench(ctx, study), SECTION.of(ctx.params).get(study, FitSpec())
    check_can_be_saved(bench.encoder)
    if not bench.only.card.n_classes:
        raise InputError(f"The labels of {bench.sample.name} are scores, and a classifier needs classes.")
    chosen = chosen_scheme(ctx, study, spec)
    with (
        ctx.lock(f"fit-{study}"),
        fitting(
            ctx,
            "fit",
            study,
            fit_runner=bench.fit_runner,
            n_layers=bench.encoder.n_layers,
            n_fits=1,
            tags={**bench.tags, "alf.study": study},
        ) as fitter,
    ):
        run = _Run(ctx, study, spec, bench, chosen)
        cell, result = run.fitted(fitter)
        document = run.document(cell, result)
        document.write(ctx.paths.document("fit", study))
        fitter.runs.metrics.update({f"test.{document.metric}": document.score.mean})
    write_text(ctx.paths.model(study) / CARD_FILE, model_card(document))
    calibration = document.calibration
    ctx.console.log(
        f"{document.folder}: {chosen.scheme.label}, test {document.metric.replace('_', ' ')} "
        f"{estimate(document.score)}; temperature {calibration.temperature:.2f}, calibration error "
        f"{score(calibration.error_before)} before and {score(calibration.error_after)} after"
    )


@dataclass(frozen=True)
class _Run:
    """An entry with its study opened and its scheme chosen."""

    ctx: Context
    study: str
    spec: FitSpec
    bench: Bench
    chosen: Chosen

    def fitted(self, fitter: Fitter) -> tuple[Cell, RecordedFit]:
        """Return the fit whose classifier is saved; it is done again where the folder does not hold it."""
        folder, kind, cell = self.ctx.paths.model(self.study), transfer_kind(self.bench), self._cell(fitter)
        job = kind.job(cell)
        identity = fitter.ledger.identity(job)
        if not is_saved(folder, identity):
            fitter.ledger.forget(job)
        runner = self.bench.fit_runner
        saving = SavingRunner(runner.folders, runner.compute, Saving(folder, cell.scheme, identity))
        ((_, result),) = replace(fitter, fit_runner=saving).fit([cell], kind, self.ctx.paths.cells("fit", self.study))
        if not result.predictions:
            raise InputError(
                f"The fit of {self.study} by {cell.scheme} diverged, and nothing was saved. Lower its rates, or set "
                f"`fit.{self.study}` to another scheme or seed."
            )
        return cell, result

    def document(self, cell: Cell, result: RecordedFit) -> FitDocument:
        """Return the document."""
        bench, folder = self.bench, self.ctx.paths.model(self.study)
        record, sample, truth = read_record(folder), bench.only, bench.only.splits["test"].labels
        metric = sample_metric(bench.study.metric, sample.card.n_classes)
        return FitDocument(
            study=self.study,
            folder=folder.relative_to(self.ctx.paths.root).as_posix(),
            scheme=cell.scheme,
            why=self.chosen.why,
            kind=record.kind,
            is_pipeline=record.is_pipeline,
            recipe=record.recipe,
            rates={str(address): rate for address, rate in cell.recipe.rates_at(bench.encoder.n_layers).items()},
            encoder=bench.encoder_identity,
            sample=bench.sample_identity,
            n_texts={split: len(rows.labels) for split, rows in sample.splits.items()},
            label_names=record.label_names,
            max_tokens=record.max_tokens,
            metric=bench.study.metric,
            seed=self.spec.seed,
            score=mean_score(seeds_scores(metric, truth, {cell.seed: result.predictions})),
            majority_baseline=majority_baseline(metric, truth),
            calibration=record.calibration,
            environments=shares([result.environment]),
        )

    def _cell(self, fitter: Fitter) -> Cell:
        """Return the cell of the transfer to the study's own sample that this fit is."""
        schemes, bench, n_layers = (self.chosen.scheme,), self.bench, self.bench.encoder.n_layers
        inputs = scheme_inputs(self.ctx, self.study, schemes, bench.study.recipe, n_layers, fitter.runs.tracker.uri)
        recipes, label = scheme_recipes(schemes, inputs), self.chosen.scheme.label
        check_can_be_fitted(self.study, label, recipes.get(label))
        (cell,) = cells(recipes, 1, self.spec.seed)
        return cell
