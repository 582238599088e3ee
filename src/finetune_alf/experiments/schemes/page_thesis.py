"""The thesis's own schedules in a testbed: what they gained there, beside what they gain here."""

from collections.abc import Iterator
from math import hypot

from finetune_alf.experiments.schemes.combination import NO_ADAPTER
from finetune_alf.experiments.schemes.document import CombinationResult, SampleTable, SchemesDocument
from finetune_alf.experiments.schemes.rules import FEATURE_EXTRACTION, FIXED
from finetune_alf.report.evidence import verdict_cell
from finetune_alf.report.numbers import NONE, as_printed, estimate, score, signed, signed_estimate
from finetune_alf.report.section import Section
from finetune_alf.schedules.published import PUBLISHED_NAMES, PublishedAccuracy, published_accuracy, thesis_encoder

BASELINE = "baseline"
"""The thesis's name of plain fine-tuning."""


def thesis_section(testbed: SchemesDocument) -> Section:
    """Return published and own gains over plain fine-tuning; an empty section without a schedule of the thesis."""
    rows = [row for name, table in testbed.samples.items() for row in _rows(testbed, name, table)]
    section = Section()
    if any(row.scheme in PUBLISHED_NAMES for table in testbed.samples.values() for row in table.combinations):
        section.table(
            ("sample", "scheme", "thesis", "its baseline", "its gain", "ours", "our difference", "verdict"),
            rows,
            "**The thesis's schedules, published and here**",
        )
        section.text(
            "Thesis: one run each, with the standard error over texts in parentheses; for a gain the two runs count "
            "as independent. Ours are over seeds and texts; the difference is from `fixed` on the same texts and seeds."
        )
        section.text(_on_another_encoder(testbed))
    return section


def _on_another_encoder(testbed: SchemesDocument) -> str | None:
    if thesis_encoder(testbed.encoder.identity):
        return None
    changes = " and ".join(
        [
            *(["stretched to the depth of this one"] if testbed.stretch else []),
            *(["rescaled, so that their highest rate is the testbed's"] if testbed.rescale else []),
        ]
    )
    found = "The schedules were found for other encoders"
    return f"{found}{f', and are {changes}' if changes else ''}: compare the gains, not the accuracies."


def _rows(testbed: SchemesDocument, sample: str, table: SampleTable) -> Iterator[list[str]]:
    own = thesis_encoder(testbed.encoder.identity)
    for row in table.combinations:
        encoder, scheme = _in_thesis(row, own)
        published = encoder and published_accuracy(encoder, scheme, sample)
        baseline = encoder and published_accuracy(encoder, BASELINE, sample)
        if published and baseline:
            yield [f"`{sample}`", f"`{row.scheme}`", *_published_cells(published, baseline), *_own_cells(row)]


def _in_thesis(row: CombinationResult, own: str | None) -> tuple[str | None, str]:
    """Return the encoder and the scheme of the thesis that a row corresponds to; None for an encoder without one."""
    if row.adapter != NO_ADAPTER or row.curve != "constant":
        return None, ""
    if row.scheme in PUBLISHED_NAMES:
        encoder, _, scheme = row.scheme.partition("-")
        return encoder, scheme
    return own, {FIXED: BASELINE, FEATURE_EXTRACTION: FEATURE_EXTRACTION}.get(row.scheme, "")


def _published_cells(published: PublishedAccuracy, baseline: PublishedAccuracy) -> list[str]:
    error = hypot(published.standard_error, baseline.standard_error)
    gain = f"{signed(published.accuracy - baseline.accuracy)} ({score(error)})"
    return [_accuracy(published), _accuracy(baseline), NONE if published == baseline else gain]


def _accuracy(row: PublishedAccuracy) -> str:
    return f"{as_printed(row.accuracy)} ({score(row.standard_error)})"


def _own_cells(row: CombinationResult) -> list[str]:
    found = row.difference
    return [
        estimate(row.score) if row.score else "diverged",
        signed_estimate(found.mean, found.low, found.high) if found else NONE,
        verdict_cell(found.verdict) if found else NONE,
    ]
