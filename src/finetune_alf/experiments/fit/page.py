"""Saved classifiers on the page: scheme, test score and calibration of each."""

from dataclasses import replace

from finetune_alf.error_analysis.confusion import Confusion
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.experiments.fit.figure import reliability_plot
from finetune_alf.figures.confusion import confusion_matrix
from finetune_alf.paths import Paths
from finetune_alf.report.environments import environment_line
from finetune_alf.report.numbers import estimate, score
from finetune_alf.report.part import DocumentPart, Part, SavedClassifier, documents, part_of_each
from finetune_alf.report.section import Section, plain


def fit_part(paths: Paths) -> Part | None:
    """Return the classifiers that were fitted, one after another."""
    folder = paths.experiment("fit")
    part = part_of_each(folder, FitDocument, _document_part)
    saved = {
        each.study: SavedClassifier(each.scheme, each.score)
        for each in documents(folder, FitDocument)
        if each.name == each.study
    }
    return part and replace(part, classifiers=saved)


def majority_note(document: FitDocument) -> str:
    """Return what to add to a test score that one prediction for all texts reaches, too; empty for a higher one."""
    if document.score.mean > document.majority_baseline:
        return ""
    return f", no better than one prediction for all texts, which has {score(document.majority_baseline)}"


def _document_part(document: FitDocument) -> DocumentPart:
    return DocumentPart(
        f"Classifier `{document.name}`", _section(document), (_summary(document),), versions=_versions(document)
    )


def _versions(document: FitDocument) -> tuple[tuple[str, int], ...]:
    return ((document.model, document.version),) if document.version else ()


def _section(document: FitDocument) -> Section:
    section, calibration = Section(), document.calibration
    n_texts = document.n_texts
    why = f": {document.why}" if document.why else ", as `params.yaml` says"
    texts = f"{n_texts['train']:,} texts of `{document.sample.name}`{_which(document)}"
    calibrated = f"{n_texts['validation']:,} validation texts{_calibrated(document)}"
    section.text(
        f"`{document.folder}` holds {document.trained}, fitted on {texts} by `{document.scheme}`{why}. Its "
        f"probabilities are calibrated on {calibrated}, and scored on {calibration.n_texts:,} "
        f"{calibration.measured_on} texts. The interval of the score is over other texts; other seeds of the same "
        f"scheme vary beside it.{_registered(document)}"
    )
    section.text(environment_line(document.environments))
    section.table(
        (_measure(document), "one prediction for all", "calibration error", "calibrated", "temperature"),
        [
            (
                estimate(document.score),
                score(document.majority_baseline),
                score(calibration.error_before),
                score(calibration.error_after),
                f"{calibration.temperature:.2f}",
            )
        ],
        "**Score and calibration**",
    )
    section.figure(
        f"{document.name}-reliability.png",
        f"How often the classifier {document.name} is right by how sure it is, before and after calibration; "
        "dashed: as often right as sure",
        reliability_plot(document),
    )
    if document.confusion:
        section.append(_errors(document, document.confusion))
    return section


def _errors(document: FitDocument, found: Confusion) -> Section:
    section = Section()
    section.heading(3, "What the classifier gets wrong")
    of_model = "" if document.name == document.study else f" --model {document.name}"
    section.text(
        f"{found.n_texts - found.n_right:,} of {found.n_texts:,} test texts are wrong. `finetune-alf errors "
        f"{document.study}{of_model}` lists them, and labels that are likely wrong."
    )
    section.figure(
        f"{document.name}-errors.png",
        f"Test texts by true and predicted class of the classifier {document.name}, with their share of the true class",
        confusion_matrix({document.scheme: found.counts}, [each.name for each in found.classes]),
    )
    section.table(
        ("class", "test texts", "predicted", "recall", "precision"),
        [
            (plain(each.name), f"{each.n_true:,}", f"{each.n_predicted:,}", score(each.recall), score(each.precision))
            for each in found.classes
        ],
        "**By class**",
    )
    return section


def _which(document: FitDocument) -> str:
    return "" if document.train_on == "train" else ", all labelled ones but the test texts,"


def _calibrated(document: FitDocument) -> str:
    return "" if document.train_on == "train" else ", by the same fit on the training split alone"


def _registered(document: FitDocument) -> str:
    if not document.version:
        return ""
    uri = f"models:/{document.model}@{document.alias}"
    return f" It is version {document.version} of `{document.model}` in MLflow, `{uri}`."


def _measure(document: FitDocument) -> str:
    return f"test {document.metric.replace('_', ' ')}"


def _summary(document: FitDocument) -> str:
    return (
        f"Classifier `{document.name}`, fitted by `{document.scheme}`: {_measure(document)} "
        f"{estimate(document.score)}{majority_note(document)}, saved in `{document.folder}`"
        + (f", registered as `{document.model}` version {document.version}." if document.version else ".")
    )
