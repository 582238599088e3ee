"""SavingRunner: fits whose classifier is calibrated and saved before the result is kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_alf.classifier.calibration import Calibration, best_temperature, calibration_of
from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.folder import write_folder
from finetune_alf.classifier.probe import Probe, probe_of
from finetune_alf.compute import Compute, Precision
from finetune_alf.data.readers.format import LABEL_SEPARATOR
from finetune_alf.data.sample import Sample
from finetune_alf.data.spec import text_columns_of
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.errors import DataError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.linear import fit_linear, token_features
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.linear import logistic
from finetune_alf.recipe import ProbeRecipe, Recipe
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.fit import ReportEpoch
from finetune_alf.train.result import FitResult


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
    """Runs a FitJob of classes as FitRunner does, and saves its classifier; one that diverged is not saved."""

    def __init__(self, folders: dict[str, Path], compute: Compute, saving: Saving) -> None:
        super().__init__(folders, compute)
        self.saving = saving

    def __reduce__(self) -> tuple[type[FitRunner], tuple[Any, ...]]:
        return (SavingRunner, (self.folders, self.compute, self.saving))

    def __call__(self, job: FitJob, report: ReportEpoch) -> FitResult:
        """Run one job, and save its classifier. Raises what FitRunner and `write_folder` raise."""
        probe = None
        if isinstance(job.recipe, ProbeRecipe):
            model, result = fit_linear(job, job.recipe, self.loader, self.batch)
            probe = probe_of(model)
        else:
            result = super().__call__(job, report)
        if result.stopped != "diverged":
            self._save(job, probe)
        return result

    def _save(self, job: FitJob, probe: Probe | None) -> None:
        recipe, sample, on_all = job.recipe, self.loader.sample(job.sample), self.saving.on_all
        if not isinstance(sample, Sample) or not isinstance(recipe, Recipe | ProbeRecipe):
            raise DataError(f"{job.key}: a classifier is of one task, and of an encoder.")
        encoder, tasks = self.loader.load(job)  # the same object that the fit has trained
        if isinstance(recipe, Recipe) and recipe.objective is not None:
            (splits,) = tasks.values()
            probe = _contrastive_head(encoder, splits.train, recipe, job.precision, sample.card.n_classes, self.batch)
        classifier = Classifier(
            encoder,
            sample.card.label_names,
            recipe.max_tokens,
            recipe.pooling,
            job.precision,
            probe=probe,
            truncation=recipe.truncation,
            problem_type=sample.card.problem_type,
            label_separator=str(sample.card.source.get("label_separator", LABEL_SEPARATOR)),
        )
        write_folder(
            self.saving.folder,
            classifier,
            calibration=_calibration(classifier, sample, job.score_on, self.batch, on_all),
            scheme=self.saving.scheme,
            recipe=recipe,
            encoder=encoder.identity,
            sample=on_all.sample if on_all else job.sample,
            fit=self.saving.fit,
            train_on="all" if on_all else "train",
            text=text_columns_of(sample.card.source),
        )


def _contrastive_head(
    encoder: Encoder, train: TokenizedSplit, recipe: Recipe, precision: Precision, n_classes: int, batch: int
) -> Probe:
    """Return the head by which a contrastive fit is evaluated, on the features of its trained encoder."""
    features = token_features(encoder, train.table, recipe.pooling, precision, batch)
    return probe_of(logistic(features, train.labels.tolist(), n_classes, train.class_weights))


def _calibration(
    classifier: Classifier, sample: Sample, measured_on: str, batch: int, on_all: OnAll | None
) -> Calibration:
    """Return the temperature that is best on the validation split, unless there is one, and what it does on another."""
    validation, measured = sample.nonempty_split("validation"), sample.nonempty_split(measured_on)
    kind = classifier.problem_type
    temperature = (
        on_all.temperature
        if on_all
        else best_temperature(classifier.logits(validation.texts, batch), validation.labels, kind)
    )
    return calibration_of(temperature, classifier.logits(measured.texts, batch), measured.labels, measured_on, kind)
