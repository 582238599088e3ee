"""Saved classifiers on the page: scheme, test score and calibration of each."""

from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.experiments.fit.figure import reliability_plot
from finetune_alf.paths import Paths
from finetune_alf.report.environments import environment_line
from finetune_alf.report.numbers import estimate, score
from finetune_alf.report.part import Part, part_of_each
from finetune_alf.report.section import Section


def fit_part(paths: Paths) -> Part | None:
    """Return the classifiers that were fitted, one after another."""
    return part_of_each(paths.experiment("fit"), FitDocument, _section, lambda document: [_summary(document)])


def _section(document: FitDocument) -> Section:
    section, calibration = Section(), document.calibration
    n_texts = document.n_texts
    why = f": {document.why}" if document.why else ", as `params.yaml` says"
    section.heading(2, f"Classifier `{document.name}`")
    texts = f"{n_texts['train']:,} texts of `{document.sample.name}`{_which(document)}"
    calibrated = f"{n_texts['validation']:,} validation texts{_calibrated(document)}"
    section.text(
        f"`{document.folder}` holds `{document.encoder.name}`, fitted on {texts} by `{document.scheme}`{why}. Its "
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
    )
    section.figure(
        f"{document.name}-reliability.png",
        f"How often the classifier {document.name} is right by how sure it is, before and after calibration",
        reliability_plot(document),
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
        f"{estimate(document.score)}, saved in `{document.folder}`"
        + (f", registered as `{document.model}` version {document.version}." if document.version else ".")
    )
