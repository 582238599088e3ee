"""SavingRunner: fits whose classifier is calibrated, saved and scored before the result is kept."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finetune_alf.classifier.calibration import best_temperature, calibration_of
from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.folder import precision_on, write_folder
from finetune_alf.classifier.probe import Probe, probe_of
from finetune_alf.classifier.text_classifier import TextClassifier
from finetune_alf.classifier.tfidf import TfidfClassifier, tfidf_of
from finetune_alf.compute import Compute, Precision
from finetune_alf.data.readers.format import LABEL_SEPARATOR
from finetune_alf.data.sample import Sample
from finetune_alf.data.source_spec import text_columns_of
from finetune_alf.encoder.adapters.inject import merged
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.errors import DataError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.linear import token_features
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.linear import LinearModel, logistic
from finetune_alf.metrics import ACCURACY, BALANCED_ACCURACY, sample_metric
from finetune_alf.recipe import Recipe, TfidfRecipe
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.fit import ReportEpoch
from finetune_alf.train.result import FitResult, Labels


@dataclass(frozen=True)
class OnAll:
    """What a fit on all texts has from the fit on the training split: the digest of the sample, and the temperature."""

    sample: str
    temperature: float


@dataclass(frozen=True)
class Saving:
    """Where a classifier is saved, the name of its scheme, and the digest of all that its fit depends on."""

    folder: Path
    scheme: str
    fit: str
    on_all: OnAll | None = None


class SavingRunner(FitRunner):
    """Runs a FitJob of classes as FitRunner does, and saves its classifier; one that diverged is not saved.

    Predictions and scores of the result are those of the classifier as it is loaded: in bf16 its own forward pass can
    give another class than the fit's evaluation did, where two are about as likely.
    """

    def __init__(self, folders: dict[str, Path], compute: Compute, saving: Saving) -> None:
        super().__init__(folders, compute)
        self.saving = saving

    def __reduce__(self) -> tuple[type[FitRunner], tuple[Any, ...]]:
        return (SavingRunner, (self.folders, self.compute, self.saving))

    def __call__(self, job: FitJob, report: ReportEpoch) -> FitResult:
        """Run one job, and save its classifier. Raises what FitRunner and `write_folder` raise."""
        model = None
        if isinstance(job.recipe, Recipe):
            result = super().__call__(job, report)
        else:
            self._set_threads()
            model, result = self._fit_linear(job, job.recipe)
        return result if result.stopped == "diverged" else self._saved(job, model, result)

    def _saved(self, job: FitJob, model: LinearModel | None, result: FitResult) -> FitResult:
        """Save the classifier of a fit, and return its result with the predictions and scores of the classifier."""
        recipe, sample, on_all = job.recipe, self.loader.sample(job.sample), self.saving.on_all
        if not isinstance(sample, Sample):
            raise DataError(f"{job.key}: a classifier is of one task.")
        classifier = self._classifier(job, sample, model)
        loaded = self._as_loaded(classifier)
        scored = sample.nonempty_split(job.score_on)
        logits = loaded.logits(scored.texts, self.batch)
        temperature = on_all.temperature if on_all else _temperature(loaded, sample, self.batch)
        kind = sample.card.problem_type
        write_folder(
            self.saving.folder,
            classifier,
            calibration=calibration_of(temperature, logits, scored.labels, job.score_on, kind),
            scheme=self.saving.scheme,
            recipe=recipe,
            encoder=classifier.encoder.identity if isinstance(classifier, Classifier) else None,
            sample=on_all.sample if on_all else job.sample,
            fit=self.saving.fit,
            train_on="all" if on_all else "train",
            text=text_columns_of(sample.card.source),
        )
        loaded = replace(loaded, temperature=temperature)
        predictions = loaded.labels(loaded.calibrated(logits))
        return result.model_copy(update=_scores(job, sample, predictions))

    def _as_loaded(self, classifier: Classifier | TfidfClassifier) -> Classifier | TfidfClassifier:
        if isinstance(classifier, TfidfClassifier):
            return classifier
        return replace(classifier, precision=precision_on(self.compute.device, classifier.precision))

    def _classifier(self, job: FitJob, sample: Sample, model: LinearModel | None) -> Classifier | TfidfClassifier:
        recipe, card = job.recipe, sample.card
        separator = str(card.source.get("label_separator", LABEL_SEPARATOR))
        if isinstance(recipe, TfidfRecipe):
            assert model is not None  # noqa: S101 - a linear recipe has one
            tfidf = tfidf_of(model, recipe.longest_ngram)
            return TfidfClassifier(tfidf, card.label_names, problem_type=card.problem_type, label_separator=separator)
        trained, tasks = self.loader.load(job)  # the same object that the fit has trained
        encoder, probe = merged(trained), None if model is None else probe_of(model)
        if isinstance(recipe, Recipe) and recipe.objective is not None:
            (splits,) = tasks.values()
            probe = _contrastive_head(encoder, splits.train, recipe, job.precision, card.n_classes, self.batch)
        return Classifier(
            encoder,
            card.label_names,
            recipe.max_tokens,
            recipe.pooling,
            job.precision,
            probe=probe,
            truncation=recipe.truncation,
            problem_type=card.problem_type,
            label_separator=separator,
        )


def _contrastive_head(
    encoder: Encoder, train: TokenizedSplit, recipe: Recipe, precision: Precision, n_classes: int, batch: int
) -> Probe:
    """Return the head by which a contrastive fit is evaluated, on the features of its trained encoder."""
    features = token_features(encoder, train.table, recipe.pooling, precision, batch)
    return probe_of(logistic(features, train.labels.tolist(), n_classes, train.class_weights))


def _temperature(classifier: TextClassifier, sample: Sample, batch: int) -> float:
    """Return the temperature that is best on the validation split."""
    validation = sample.nonempty_split("validation")
    return best_temperature(classifier.logits(validation.texts, batch), validation.labels, classifier.problem_type)


def _scores(job: FitJob, sample: Sample, predictions: Labels) -> dict[str, Any]:
    """Return the fields of a result that follow from its predictions."""
    truth, has_classes = sample.nonempty_split(job.score_on).labels, sample.card.problem_type == "classification"
    return {
        "predictions": predictions,
        "score": sample_metric(job.metric, sample.card.n_classes)(truth, predictions),
        "accuracy": ACCURACY(truth, predictions) if has_classes else None,
        "balanced_accuracy": BALANCED_ACCURACY(truth, predictions) if has_classes else None,
    }
