"""What a saved classifier gets wrong, where the schemes of a transfer disagree, and which labels are likely wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch

from finetune_alf.classifier.record import ClassifierRecord, read_record
from finetune_alf.data.mixture import load_any_sample
from finetune_alf.data.places import text_places
from finetune_alf.data.sample import Sample
from finetune_alf.data.spec import SampleSpec
from finetune_alf.documents import SampleIdentity
from finetune_alf.error_analysis.confusion import Confusion, confusion
from finetune_alf.error_analysis.document import ErrorsDocument
from finetune_alf.error_analysis.label_errors import label_errors
from finetune_alf.error_analysis.schemes import SchemesCompared, compare_schemes
from finetune_alf.error_analysis.texts import LabelledTexts
from finetune_alf.error_analysis.wrong import wrong_texts
from finetune_alf.errors import InputError
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.experiments.fit.probabilities import classifier_probabilities, probe_probabilities
from finetune_alf.experiments.transfer.predictions import read_predictions
from finetune_alf.metric_names import LABELS
from finetune_alf.running.context import Context

HeldOut = Literal["validation", "test"]
"""The splits that no classifier is fitted to."""


def find_errors(ctx: Context, study: str, folder: Path, split: HeldOut = "test") -> ErrorsDocument:
    """Find the errors of the classifier in a folder on a split of the study's sample.

    A part that cannot be had is left out, and a note says why. Raises InputError where the classifier has other classes
    than the sample, and where the sample is of several tasks or its labels are no classes; EncoderError for a folder
    without a classifier, and DataError for a sample that is not prepared or has no rows in the split.
    """
    sample = _sample_of(ctx, study)
    record = _record_of(sample, folder)
    texts, notes = _texts_of(ctx, study, sample), list(_stale(record, folder, sample, split))
    if n_threads := ctx.compute.n_threads:
        torch.set_num_threads(n_threads)
    ctx.console.doing(f"errors: predicting the {len(texts[split].labels):,} {split} texts")
    probabilities = classifier_probabilities(ctx, sample, split, folder)
    found = confusion(texts[split].labels, probabilities.argmax(1).tolist(), sample.card.label_names)
    if split == "test":
        notes.extend(_counted_by_fit(ctx, folder, record, found))
    parts = [label_errors(texts[split], probabilities, split, "classifier")]
    schemes: SchemesCompared | None = None
    try:
        schemes = _schemes(ctx, study, sample, split, texts[split])
    except InputError as missing:
        notes.append(str(missing))
    ctx.console.doing(f"errors: cross-validating a probe on the {len(texts['train'].labels):,} training texts")
    try:
        parts.append(label_errors(texts["train"], probe_probabilities(ctx, study, sample), "train", "probe"))
    except InputError as missing:
        notes.append(str(missing))
    return ErrorsDocument(
        study=study,
        sample=SampleIdentity(name=sample.name, digest=sample.card.digest, counts=sample.card.counts),
        split=split,
        folder=str(folder),
        scheme=record.scheme,
        confusion=found,
        wrong=wrong_texts(texts[split], probabilities),
        schemes=schemes,
        label_errors=tuple(parts),
        notes=tuple(notes),
    )


def _sample_of(ctx: Context, study: str) -> Sample:
    name = ctx.study(study).sample
    sample = load_any_sample(ctx.paths.sample(name))
    if not isinstance(sample, Sample):
        raise InputError(
            f"{name} is a mixture of {', '.join(sample.tasks)}, and the errors of several tasks are not listed. Name a "
            "study of one task."
        )
    if sample.card.problem_type != "classification":
        labels = LABELS[sample.card.problem_type]
        raise InputError(f"The labels of {name} are {labels}, and errors are listed for classes. Name another study.")
    return sample


def _record_of(sample: Sample, folder: Path) -> ClassifierRecord:
    record, names = read_record(folder), sample.card.label_names
    if set(record.label_names) != set(names):
        raise InputError(
            f"The classifier of {folder} has the classes {', '.join(record.label_names)}, and {sample.name} has "
            f"{', '.join(names)}. Name a classifier of this sample."
        )
    return record


def _stale(record: ClassifierRecord, folder: Path, sample: Sample, split: str) -> tuple[str, ...]:
    if record.sample == sample.card.digest:
        seen = f"The classifier of {folder} was trained on all texts but those of the test, the {split} split too."
        return () if record.train_on == "train" or split == "test" else (seen,)
    return (
        f"The classifier of {folder} was fitted to another sample, or to another draw of {sample.name}: it may have "
        f"learned from texts of the {split} split.",
    )


def _counted_by_fit(ctx: Context, folder: Path, record: ClassifierRecord, found: Confusion) -> Iterator[str]:
    """Yield a note where `fit` has counted otherwise, as on another device."""
    path = ctx.paths.document("fit", folder.name)
    kept = FitDocument.read(path) if path.exists() else None
    if kept and kept.confusion and kept.fit == record.fit and kept.confusion.n_right != found.n_right:
        yield (
            f"fit counted {kept.confusion.n_right:,} of {kept.confusion.n_texts:,} test texts right. Another device, "
            "precision or version rounds in another way, and some texts have two classes that are about as likely."
        )


def _texts_of(ctx: Context, study: str, sample: Sample) -> dict[str, LabelledTexts]:
    spec, names = ctx.sample(ctx.study(study).sample), sample.card.label_names
    places = text_places(sample, spec, ctx.paths.root) if isinstance(spec, SampleSpec) else {}
    return {split: LabelledTexts(rows.texts, rows.classes, names, places) for split, rows in sample.splits.items()}


def _schemes(ctx: Context, study: str, sample: Sample, split: HeldOut, texts: LabelledTexts) -> SchemesCompared:
    if split != "test":
        raise InputError(
            "A transfer keeps predictions for the test split alone, so that schemes are not compared here."
        )
    return compare_schemes(texts, read_predictions(ctx, study, sample).predictions)
