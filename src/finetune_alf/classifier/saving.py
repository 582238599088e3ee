"""SavingRunner: fits whose classifier is calibrated and saved before the result is kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_alf.classifier.calibration import Calibration, best_temperature, calibration_of
from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.folder import write_folder
from finetune_alf.classifier.probe import Probe, probe_of
from finetune_alf.compute import Compute
from finetune_alf.data.sample import Sample
from finetune_alf.errors import DataError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.linear import fit_linear
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.recipe import ProbeRecipe, Recipe
from finetune_alf.train.fit import ReportEpoch
from finetune_alf.train.result import FitResult


@dataclass(frozen=True)
class Saving:
    """Where a classifier is saved, the name of its scheme, and the digest of all that its fit depends on.

    `temperature` is that of an earlier fit, where this one trains on the texts that one is found by.
    """

    folder: Path
    scheme: str
    fit: str
    temperature: float | None = None


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
        recipe, sample = job.recipe, self.loader.sample(job.sample)
        if not isinstance(sample, Sample) or not isinstance(recipe, Recipe | ProbeRecipe):
            raise DataError(f"{job.key}: a classifier is of one task, and of an encoder.")
        encoder, _ = self.loader.load(job)  # the same object that the fit has trained
        classifier = Classifier(
            encoder, sample.card.label_names, recipe.max_tokens, recipe.pooling, job.precision, probe=probe
        )
        write_folder(
            self.saving.folder,
            classifier,
            calibration=_calibration(classifier, sample, job.score_on, self.batch, self.saving.temperature),
            scheme=self.saving.scheme,
            recipe=recipe,
            encoder=encoder.identity,
            sample=job.sample,
            fit=self.saving.fit,
        )


def _calibration(
    classifier: Classifier, sample: Sample, measured_on: str, batch: int, temperature: float | None
) -> Calibration:
    """Return the temperature that is best on the validation split, unless it is given, and what it does on another."""
    validation, measured = sample.nonempty_split("validation"), sample.nonempty_split(measured_on)
    if temperature is None:
        temperature = best_temperature(classifier.logits(validation.texts, batch), validation.labels)
    return calibration_of(temperature, classifier.logits(measured.texts, batch), measured.labels, measured_on)
