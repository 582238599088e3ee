"""The summary of a run: what each study scored and what to use now, read from the documents that its stages wrote."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from finetune_alf.comparison import ComparedDifference
from finetune_alf.data.spec import TrainOn
from finetune_alf.documents import Document, Estimate
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.experiments.scheme_words import schemes_in_words
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.experiments.transfer.family import judged_transfers, scheme_differences
from finetune_alf.paths import Paths
from finetune_alf.register.lock import ALIASES, LockDocument
from finetune_alf.register.recommend import BASELINE, UNIFORM
from finetune_alf.report.numbers import NONE, counted, estimate, score, signed_estimate
from finetune_alf.report.part import document_files, documents
from finetune_alf.report.use import use_in_short
from finetune_alf.running.context import Context
from finetune_alf.study.records import best_trial, read_study, read_trials

CONFIRMATION = "confirmation"
"""What stands in the place of a sample where scores are those of the registration."""


class SchemeScore(Document):
    """A scheme's score on the test texts of a sample or on the confirmation split, and its difference from plain."""

    scheme: str
    texts: str
    score: Estimate
    difference: ComparedDifference | None


class ClassifierSummary(Document):
    """A saved classifier: its folder, its place in MLflow's registry, its scheme, its texts and its score.

    The score is on the test texts of `sample`.
    """

    folder: str
    model: str
    version: int | None
    scheme: str
    n_train: int
    train_on: TrainOn
    sample: str
    score: Estimate


class StudySummary(Document):
    """A study: its trials, its best score on the validation split, the scores of schemes, what to use, classifiers.

    `best_is_baseline` says that the best trial has the rates of plain fine-tuning.
    """

    study: str
    metric: str
    n_trials: int
    best_score: float | None
    best_is_baseline: bool
    schemes: tuple[SchemeScore, ...]
    use: str
    classifiers: tuple[ClassifierSummary, ...]


class RunSummary(Document):
    """All studies of a run, and its report."""

    studies: tuple[StudySummary, ...]
    report: str


def summary_of(ctx: Context) -> RunSummary:
    """Return the summary of what is in the results of this folder."""
    studies = tuple(study_summary(ctx, name) for name in ctx.params.studies)
    return RunSummary(studies=studies, report=str(ctx.paths.report / "report.html"))


def study_summary(ctx: Context, name: str) -> StudySummary:
    """Return the summary of one study, which is registered."""
    folder, paths = ctx.paths.study_results(name), ctx.paths
    records, study = read_trials(folder / "trials.jsonl"), read_study(folder)
    best, lock = best_trial(records), LockDocument.read(paths.schedules(name))
    found = document_files(paths.experiment("transfer") / name)
    transfers = [TransferDocument.read(path) for path in found if not path.stem.endswith(".predictions")]
    tested = {
        key: each
        for one in transfers
        if one.sample.name == one.searched_on
        for key, each in scheme_differences(one).items()
    }
    return StudySummary(
        study=name,
        metric=study.metric,
        n_trials=len(records),
        best_score=best.score if best else None,
        best_is_baseline=best is not None and best.rates == study.baseline_rates,
        schemes=(*_confirmed(lock), *_transferred(transfers)),
        use=use_in_short(name, lock, tested, study),
        classifiers=tuple(classifiers_of(paths, name)),
    )


def classifiers_of(paths: Paths, study: str) -> Iterator[ClassifierSummary]:
    """Yield the saved classifiers of a study, its own and those of schemes beside it."""
    for each in documents(paths.experiment("fit"), FitDocument):
        if each.study == study:
            yield ClassifierSummary(
                folder=each.folder,
                model=each.model,
                version=each.version,
                scheme=each.scheme,
                n_train=each.n_texts["train"],
                train_on=each.train_on,
                sample=each.sample.name,
                score=_estimate(each.score),
            )


def _confirmed(lock: LockDocument) -> Iterator[SchemeScore]:
    references = lock.references
    for scheme, found in (
        (BASELINE, references and references.baseline),
        (UNIFORM, references and references.single_rate),
    ):
        if found:
            yield SchemeScore(scheme=scheme, texts=CONFIRMATION, score=_estimate(found), difference=None)
    for alias in ALIASES:
        if candidate := lock.candidate(alias):
            yield SchemeScore(
                scheme=alias, texts=CONFIRMATION, score=_estimate(candidate), difference=candidate.from_baseline
            )


def _transferred(documents: Sequence[TransferDocument]) -> Iterator[SchemeScore]:
    differences = judged_transfers(documents)
    for document in documents:
        sample = document.sample.name
        for scheme, result in document.schemes.items():
            difference = differences.get((sample, scheme, BASELINE))
            yield SchemeScore(scheme=scheme, texts=sample, score=_estimate(result.score), difference=difference)


def _estimate(found: Estimate) -> Estimate:
    return Estimate(mean=found.mean, low=found.low, high=found.high)


def summary_lines(summary: RunSummary) -> list[str]:
    """Return the summary as a table for a terminal. The report is named by its stage, just above."""
    lines: list[str] = []
    for study in summary.studies:
        rows = [("scheme", "texts", study.metric.replace("_", " "), "against plain fine-tuning")]
        rows += [(one.scheme, one.texts, estimate(one.score), _difference(one.difference)) for one in study.schemes]
        rows += [(one.folder, one.sample, estimate(one.score), f"one fit of {one.scheme}") for one in study.classifiers]
        plain = ", which is plain fine-tuning," if study.best_is_baseline else ""
        words = schemes_in_words(one.scheme for one in study.schemes)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += [
            "",
            f"{study.study}: {counted(study.n_trials, 'trial')}, the best{plain} with {score(study.best_score)} on the "
            "validation split",
            *("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows),
            *([words] if words else []),
            study.use.replace("**", "").replace("`", ""),
            *map(classifier_line, study.classifiers),
        ]
    return lines


def classifier_line(found: ClassifierSummary) -> str:
    """Return a classifier as a line for a terminal; the table above has its score."""
    registered = f", registered as {found.model} version {found.version}" if found.version else ""
    more = "; `train_on: all` of its entry under `fit` adds all labelled ones but those of the test"
    return (
        f"Classifier {found.folder}: one fit of {found.scheme} on {found.n_train:,} texts{registered}"
        f"{more if found.train_on == 'train' else ''}. To label a table with it: "
        f"`finetune-alf predict {Path(found.folder).name} TABLE`."
    )


def _difference(found: ComparedDifference | None) -> str:
    if found is None:
        return NONE
    verdict = f", {found.verdict}" if found.verdict else ""
    return f"{signed_estimate(found.mean, found.low, found.high)}{verdict}"
