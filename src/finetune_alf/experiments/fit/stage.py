"""Stage `fit`: fit a study's encoder for use, calibrate it, save it with its model card, and register it."""

from dataclasses import dataclass, replace
from pathlib import Path

from finetune_alf.classifier.folder import check_can_be_saved
from finetune_alf.classifier.record import is_saved, read_record, saved_fit
from finetune_alf.classifier.registered import CURRENT, classifier_name, scheme_alias
from finetune_alf.classifier.saving import OnAll, Saving, SavingRunner
from finetune_alf.comparison import mean_score, seeds_scores
from finetune_alf.compute.environment import shares
from finetune_alf.error_analysis.confusion import Confusion, confusion
from finetune_alf.errors import InputError
from finetune_alf.experiments.fit.all_texts import bench_on_all, recipe_on_all
from finetune_alf.experiments.fit.card import CARD_FILE, model_card
from finetune_alf.experiments.fit.document import FitDocument, UsedSchedule
from finetune_alf.experiments.fit.page import majority_note
from finetune_alf.experiments.fit.registering import register_fit, used_schedule
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
from finetune_alf.running.dvc_files import write_numbers
from finetune_alf.running.fitter import Fitter, fitting
from finetune_alf.running.summary import ScoreRow, scores_summary
from finetune_alf.train.result import RecordedFit


def fit(ctx: Context, study: str, scheme: str | None = None) -> None:
    """Fit the classifier of a study that is not saved yet, and register it; write line, document and model card.

    Where all of that has been done, nothing is fitted, and a line says so.

    With a `scheme` it is a classifier beside that of the study, `<study>.<scheme>`. Raises InputError for a schedule
    that is not registered and for a fit that diverged, and EncoderError for an encoder of random weights.
    """
    bench, spec = open_bench(ctx, study), SECTION.of(ctx.params).get(study, FitSpec())
    if not bench.only.card.n_classes:
        raise InputError(f"The labels of {bench.sample.name} are scores, and a classifier needs classes.")
    chosen = chosen_scheme(ctx, study, spec, scheme)
    if chosen.scheme.kind != "tfidf":
        check_can_be_saved(bench.encoder)
    run = _Run(ctx, study, spec, bench, chosen, is_beside=scheme is not None)
    with (
        ctx.lock(f"fit-{study}"),
        fitting(
            ctx,
            "fit",
            run.name,
            fit_runner=bench.fit_runner,
            n_layers=bench.encoder.n_layers,
            n_fits=1 if spec.train_on == "train" else 2,
            tags={**bench.tags, "alf.study": study},
            ledger=f"fit-{study}",
            needs_store=True,
        ) as fitter,
    ):
        kept = run.kept if saved_fit(run.folder) else None  # a damaged classifier is fitted again
        document = run.document(run.fitted(fitter))
        write_text(run.folder / CARD_FILE, model_card(document))
        ctx.console.doing(f"fit {run.name}: registering {document.folder} in MLflow")
        version = register_fit(ctx, document, fitter.runs)
        document = document.model_copy(update={"version": version})
        numbers = {"test": document.score.mean, "calibration_error": document.calibration.error_after}
        write_numbers(ctx.paths.summary("fit", run.name), numbers)
        document.write(ctx.paths.document("fit", run.name))
        found = _outcome(document)
        rows = [ScoreRow(document.scheme, document.score)]
        fitter.runs.show(scores_summary(found, f"test {document.metric.replace('_', ' ')}", rows))
    is_kept = kept is not None and kept.as_json() == document.as_json()
    ctx.console.log(f"Up to date, nothing is fitted again: {found}" if is_kept else found)


def _outcome(document: FitDocument) -> str:
    calibration = document.calibration
    change = "less" if calibration.temperature >= 1 else "more"
    return (
        f"{document.folder}: {document.scheme}, test {document.metric.replace('_', ' ')} {estimate(document.score)}"
        f"{majority_note(document)}; a temperature of {calibration.temperature:.2f} makes its probabilities {change} "
        f"sure; calibration error, how far they are from the share that is right: {score(calibration.error_before)} "
        f"before, {score(calibration.error_after)} after; registered as {document.registered_as}"
    )


@dataclass(frozen=True)
class _Fitted:
    """The fit whose classifier is saved, the bench that it ran on, and the schedule that its recipe has."""

    cell: Cell
    result: RecordedFit
    bench: Bench
    schedule: UsedSchedule | None


@dataclass(frozen=True)
class _Run:
    """An entry with its study opened and its scheme chosen; `is_beside` where the command line chose it."""

    ctx: Context
    study: str
    spec: FitSpec
    bench: Bench
    chosen: Chosen
    is_beside: bool

    @property
    def name(self) -> str:
        """The name of the classifier: of its folder, its document and its run."""
        return f"{self.study}.{self.chosen.scheme.label}" if self.is_beside else self.study

    @property
    def folder(self) -> Path:
        """The folder of the classifier."""
        return self.ctx.paths.model(self.name)

    @property
    def kept(self) -> FitDocument | None:
        """The document of an earlier start; None where there is none, or a damaged one, which is written again."""
        try:
            return FitDocument.read(self.ctx.paths.document("fit", self.name))
        except InputError:
            return None

    def fitted(self, fitter: Fitter) -> _Fitted:
        """Return the fit whose classifier is saved; it is done again where the folder does not hold it."""
        cell, schedule = self._cell(fitter)
        if self.spec.train_on == "train":
            return _Fitted(cell, self._saved(fitter, self.bench, cell), self.bench, schedule)
        with bench_on_all(self.ctx, self.bench, self.name) as bench:
            cell, result = self._fitted_on_all(fitter, bench, cell)
            return _Fitted(cell, result, bench, schedule)

    def _fitted_on_all(self, fitter: Fitter, bench: Bench, cell: Cell) -> tuple[Cell, RecordedFit]:
        """Return the fit on all texts; that on the training split comes first, and has the temperature."""
        n_first, n_all = (len(each.only.splits["train"].labels) for each in (self.bench, bench))
        first, kind = fitter.ledger.find(transfer_kind(self.bench).job(cell)), transfer_kind(bench)

        def on_all(first: RecordedFit) -> Cell:
            return replace(cell, recipe=recipe_on_all(cell.recipe, first, n_first, n_all))

        if first is None or not is_saved(self.folder, fitter.ledger.identity(kind.job(on_all(first)))):
            first = self._saved(fitter, self.bench, cell)
        record = read_record(self.folder)
        known = OnAll(record.sample, record.calibration.temperature)
        return on_all(first), self._saved(fitter, bench, on_all(first), known)

    def _saved(self, fitter: Fitter, bench: Bench, cell: Cell, on_all: OnAll | None = None) -> RecordedFit:
        """Return the result of a fit whose classifier is in the folder; only one that is not is done."""
        kind = transfer_kind(bench)
        job = kind.job(cell)
        identity = fitter.ledger.identity(job)
        if not is_saved(self.folder, identity):
            fitter.ledger.forget(job)
        runner, saving = bench.fit_runner, Saving(self.folder, cell.scheme, identity, on_all)
        fits = replace(fitter, fit_runner=SavingRunner(runner.folders, runner.compute, saving))
        ((_, result),) = fits.fit([cell], kind, self.ctx.paths.cells("fit", self.name))
        if not result.predictions:
            raise InputError(
                f"The fit of {self.study} by {cell.scheme} diverged, and nothing was saved. Lower its rates, or set "
                f"`fit.{self.study}` to another scheme or seed."
            )
        return result

    def document(self, fitted: _Fitted) -> FitDocument:
        """Return the document, without the version that the classifier is registered as."""
        ctx, bench, cell, result = self.ctx, self.bench, fitted.cell, fitted.result
        record, truth = read_record(self.folder), bench.only.splits["test"].labels
        metric = sample_metric(bench.study.metric, bench.only.card.n_classes)
        return FitDocument(
            study=self.study,
            folder=self.folder.relative_to(ctx.paths.root).as_posix(),
            scheme=cell.scheme,
            why=self.chosen.why,
            kind=record.kind,
            is_pipeline=record.is_pipeline,
            recipe=record.recipe,
            rates={str(address): rate for address, rate in cell.recipe.rates_at(bench.encoder.n_layers).items()},
            encoder=bench.encoder_identity,
            sample=bench.sample_identity,
            n_texts={split: len(rows.labels) for split, rows in fitted.bench.only.splits.items()},
            label_names=record.label_names,
            max_tokens=record.max_tokens,
            truncation=record.truncation,
            text=record.text,
            metric=bench.study.metric,
            seed=self.spec.seed,
            score=mean_score(seeds_scores(metric, truth, {cell.seed: result.predictions})),
            majority_baseline=majority_baseline(metric, truth),
            calibration=record.calibration,
            confusion=self._confusion(result),
            problem_type=record.problem_type,
            environments=shares([result.environment]),
            train_on=self.spec.train_on,
            schedule=fitted.schedule,
            model=classifier_name(ctx.project, self.study),
            alias=scheme_alias(cell.scheme) if self.is_beside else CURRENT,
            fit=record.fit,
        )

    def _confusion(self, result: RecordedFit) -> Confusion | None:
        card, truth = self.bench.only.card, self.bench.only.splits["test"]
        if card.problem_type != "classification":
            return None
        predicted = [int(label) for label in result.predictions if not isinstance(label, tuple)]
        return confusion(truth.classes, predicted, card.label_names)

    def _cell(self, fitter: Fitter) -> tuple[Cell, UsedSchedule | None]:
        """Return the cell of the transfer to the study's own sample that this fit is, and the schedule in it."""
        ctx, scheme, uri = self.ctx, self.chosen.scheme, fitter.runs.uri
        inputs = scheme_inputs(ctx, self.study, (scheme,), self.bench.study.recipe, self.bench.encoder.n_layers, uri)
        recipes = scheme_recipes((scheme,), inputs)
        check_can_be_fitted(ctx, self.study, scheme.label, recipes.get(scheme.label))
        (cell,) = cells(recipes, 1, self.spec.seed)
        return cell, used_schedule(ctx, self.study, scheme, inputs, uri)
