"""Forgetting experiments on the page: the curves, the error after the last step, and what the thesis says."""

from collections.abc import Iterator

from finetune_alf.experiments.forgetting.document import ForgettingDocument, RateResult
from finetune_alf.experiments.forgetting.family import DESCRIBED
from finetune_alf.experiments.forgetting.figure import forgetting_plot
from finetune_alf.experiments.forgetting.published import PUBLISHED
from finetune_alf.paths import Paths
from finetune_alf.recipe.recipe import FORGETTING_BOUND
from finetune_alf.report.environments import environment_line
from finetune_alf.report.evidence import few_seeds, how_to_read, p_cell, verdict_cell
from finetune_alf.report.numbers import NONE, counted, duration, error_estimate, rate, score, signed_estimate
from finetune_alf.report.part import DocumentPart, Part, part_of_each
from finetune_alf.report.section import Section


def forgetting_part(paths: Paths) -> Part | None:
    """Return the experiments that have run, one after another."""
    return part_of_each(paths.experiment("forgetting"), ForgettingDocument, _document_part)


def _document_part(document: ForgettingDocument) -> DocumentPart:
    return DocumentPart(f"Forgetting `{document.name}`", _section(document), (_summary(document),))


def _section(document: ForgettingDocument) -> Section:
    section, sample, recipe = Section(), document.sample, document.recipe
    section.text(
        f"`{document.encoder.name}` is fine-tuned on {sample.n_train:,} texts of `{sample.name}` for "
        f"{document.n_steps:,} steps of {counted(recipe.batch, 'text')}, at each rate under "
        f"{counted(document.n_seeds, 'seed')}. After every {counted(document.every_steps, 'step')} the "
        f"{sample.n_validation:,} validation texts are scored. Rates above {rate(FORGETTING_BOUND)}, which other fits "
        "refuse, are allowed here."
    )
    section.text(environment_line(document.environments))
    section.figure(
        f"{document.name}-forgetting.png",
        f"Validation error of {document.encoder.name} on {sample.name} by step; the bands go from the lowest to the "
        "highest seed",
        forgetting_plot(document),
    )
    section.table(
        (
            *("rate", "error after the last step", "lowest error on the way", "beats one class"),
            *("difference in accuracy", "p, corrected", "verdict", "time of a fit"),
        ),
        [_row(document, result) for result in document.rates],
    )
    section.text(*_notes(document))
    section.text(PUBLISHED)
    return section


def _row(document: ForgettingDocument, result: RateResult) -> list[str]:
    difference, accuracy = result.difference, result.accuracy
    lowest = min(result.errors, key=lambda error: error.mean, default=None)
    return [
        rate(result.rate),
        "diverged" if accuracy is None else error_estimate(accuracy),
        NONE if lowest is None else f"{score(lowest.mean)} at step {lowest.step:,}",
        "yes" if beats_one_class(document, result) else "no",
        NONE if difference is None else signed_estimate(difference.mean, difference.low, difference.high),
        NONE if difference is None else p_cell(difference.p_holm),
        NONE if difference is None else verdict_cell(difference.verdict),
        duration(result.seconds),
    ]


def beats_one_class(document: ForgettingDocument, result: RateResult) -> bool:
    """Say whether the interval after the last step lies below the error of one class for all texts."""
    return result.accuracy is not None and 1 - result.accuracy.low < document.sample.majority_error


def _notes(document: ForgettingDocument) -> Iterator[str | None]:
    yield (
        f'"Beats one class": the interval lies below {score(document.sample.majority_error)}, the error of '
        "predicting the most frequent class for all texts. Differences are from the lowest rate. The lowest error on "
        "the way was chosen on the split that scores it, so it is optimistic."
    )
    if diverged := [
        f"{rate(each.rate)}, {counted(each.n_diverged, 'fit')}" for each in document.rates if each.n_diverged
    ]:
        yield f"Diverged, and left out from there on: {'; '.join(diverged)}."
    differences = [each.difference for each in document.rates if each.difference]
    yield how_to_read(DESCRIBED, differences, document.n_seeds) if differences else few_seeds(document.n_seeds)


def _summary(document: ForgettingDocument) -> str:
    at_end = ", ".join(
        f"{rate(each.rate)} {NONE if each.accuracy is None else score(1 - each.accuracy.mean)}"
        for each in document.rates
    )
    failed = [rate(each.rate) for each in document.rates if not beats_one_class(document, each)]
    outcome = (
        f"{', '.join(failed)} not shown to be better than one class for all"
        if failed
        else "all rates better than one class for all"
    )
    return f"Forgetting `{document.name}`: {outcome}; error after {document.n_steps:,} steps by rate: {at_end}."
