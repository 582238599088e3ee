"""Transfers on the page: test scores by scheme and sample, and the tested differences from the baseline."""

from collections.abc import Callable, Iterator, Mapping

from finetune_alf.comparison import ComparedDifference
from finetune_alf.documents import Estimate
from finetune_alf.experiments.transfer.document import SchemeResult, TransferDocument
from finetune_alf.experiments.transfer.family import Contrast, transfer_family
from finetune_alf.experiments.transfer.figure import transfer_plot
from finetune_alf.experiments.transfer.page_errors import errors_section
from finetune_alf.experiments.transfer.published import thesis_section
from finetune_alf.experiments.transfer.transfers import StudyTransfers, read_transfers
from finetune_alf.experiments.transfer.views import findings_of
from finetune_alf.paths import Paths
from finetune_alf.register.recommend import BASELINE, LINEAR, PRIMARY, UNIFORM
from finetune_alf.report.environments import environment_line
from finetune_alf.report.evidence import constant_baseline, how_to_read, p_cell, verdict_cell
from finetune_alf.report.numbers import NONE, counted, duration, estimate, p_value, score, signed_estimate
from finetune_alf.report.part import DocumentPart, Part
from finetune_alf.report.section import Section
from finetune_alf.seeds import MIN_SEEDS


def transfer_part(paths: Paths) -> Part | None:
    """Return the transfers of all studies that have some, one study after another."""
    studies = tuple(read_transfers(paths))
    if not studies:
        return None
    return Part(
        tuple(_document_part(paths, one) for one in studies),
        {one.study: one.tested for one in studies if one.tested is not None},
        {one.study: findings_of(paths, one.documents) for one in studies},
    )


def _document_part(paths: Paths, transfers: StudyTransfers) -> DocumentPart:
    section = _study_section(transfers)
    runs = tuple(f"transfer/{transfers.study}/{each.sample.name}" for each in transfers.documents)
    section.append(errors_section(paths, transfers.documents))
    if thesis := thesis_section(transfers.documents):
        section.heading(3, "Results of the thesis")
        section.append(thesis)
    return DocumentPart(f"Transfer of `{transfers.study}`", section, tuple(_summary(transfers)), runs)


def _summary(transfers: StudyTransfers) -> Iterator[str]:
    """Yield the differences of the first schedule: where it was searched, then on the samples of its claim."""
    study, differences, searched_on = transfers.study, transfers.differences, transfers.searched_on
    references = _REFERENCES[:1] if transfers.single_rate_is_baseline else _REFERENCES
    there = {
        described: found
        for reference, described in references
        if (found := differences.get((searched_on, PRIMARY, reference)))
    }
    if there:
        n_seeds = min(found.n_seeds for found in there.values())
        against = ", ".join(f"**{_signed(found)}** against {described}" for described, found in there.items())
        are = "is" if n_seeds == 1 else "are"
        few = f" {counted(n_seeds, 'seed')} {are} too few to go by it." if n_seeds < MIN_SEEDS else ""
        yield (
            f"`{PRIMARY}` of `{study}` on the test texts of `{searched_on}`, on which it was searched: "
            f"{against} (test {transfers.metric}).{few or ' For that sample this is the number to go by.'}"
        )
    for reference, described in references:
        targets = {sample: found for (sample, _, other), found in transfers.declared.items() if other == reference}
        if targets:
            yield f"`{PRIMARY}` of `{study}` against {described}, by target sample: {_by_verdict(targets)}."
    for linear in LINEAR:
        of_it = [f"`{sample}` {_signed(each)}" for (sample, scheme, _), each in differences.items() if scheme == linear]
        if of_it:
            yield (
                f"`{linear}`, a linear model that trains no layer, against plain fine-tuning with the recipe of "
                f"`{study}`, by sample: {'; '.join(of_it)}."
            )


def _by_verdict(found: Mapping[str, ComparedDifference]) -> str:
    """Return each verdict once, with the samples that have it."""
    samples: dict[str, list[str]] = {}
    for sample, difference in found.items():
        samples.setdefault(str(difference.verdict), []).append(f"`{sample}` {_signed(difference)}")
    return "; ".join(f"{verdict} on {', '.join(own)}" for verdict, own in samples.items())


_REFERENCES = ((BASELINE, "plain fine-tuning"), (UNIFORM, "the best single rate"))
"""What a schedule is compared with, as the summary calls it."""


def _signed(found: ComparedDifference) -> str:
    return signed_estimate(found.mean, found.low, found.high)


def _study_section(transfers: StudyTransfers) -> Section:
    """Return the tables and the figure of a study; rows are schemes, columns samples, as in the thesis."""
    section, study, metric = Section(), transfers.study, transfers.metric
    section.text(_method(transfers))
    section.text(environment_line([share for document in transfers.documents for share in document.environments]))
    section.table(
        ("scheme", *_samples(transfers), "time of a fit"),
        [[*row, _fit_time(transfers, scheme)] for scheme, row in _score_rows(transfers, lambda result: result.score)],
        f"**Test {metric}**",
    )
    section.figure(
        f"{study}-transfer.png",
        f"Test {metric} of each scheme of {study} on each sample, with 95 % intervals",
        transfer_plot(transfers.documents, metric, f"{study}-transfer"),
    )
    section.text(*_cautions(transfers))
    section.append(_differences(transfers))
    for title, name, pick in _ACCURACIES:
        if name != metric and any(map(pick, transfers.results)):
            section.table(("scheme", *_samples(transfers)), [row for _, row in _score_rows(transfers, pick)], title)
    return section


_ACCURACIES: tuple[tuple[str, str, Callable[[SchemeResult], Estimate | None]], ...] = (
    ("**Accuracy**", "accuracy", lambda result: result.accuracy),
    (
        "**Balanced accuracy** (the mean of the classes' recalls)",
        "balanced accuracy",
        lambda result: result.balanced_accuracy,
    ),
)
"""What is reported besides the metric where labels are classes: title, name, value."""


def _differences(transfers: StudyTransfers) -> Section:
    """Return the table of the declared family with its verdicts, then the exploratory differences."""
    section, title = Section(), f"**Differences** ({transfers.metric}, on the same texts and seeds)"
    if transfers.declared:
        section.table(
            ("sample", "scheme", "against", "difference", "SD of seeds", "p", "p, corrected", "verdict"),
            [
                [*_difference_row(contrast, found), p_value(found.p), p_cell(found.p_holm), verdict_cell(found.verdict)]
                for contrast, found in transfers.declared.items()
            ],
            title,
        )
    else:
        section.text(title)
    family = transfer_family(transfers.documents)
    section.text(how_to_read(family.described, list(transfers.differences.values()), transfers.n_seeds))
    if transfers.exploratory:
        section.table(
            ("sample", "scheme", "against", "difference", "SD of seeds"),
            [_difference_row(*each) for each in transfers.exploratory.items()],
            f"**Exploratory differences**{_searched_on(transfers)}",
        )
    return section


def _searched_on(transfers: StudyTransfers) -> str:
    """Name the sample that the study was searched on, where it is among those of the transfer."""
    return "" if transfers.tested is None else f" (the study was searched on `{transfers.searched_on}`)"


def _difference_row(contrast: Contrast, found: ComparedDifference) -> list[str]:
    return [*(f"`{name}`" for name in contrast), _signed(found), score(found.sd_seeds)]


def _samples(transfers: StudyTransfers) -> list[str]:
    return [f"`{document.sample.name}`" for document in transfers.documents]


def _score_rows(
    transfers: StudyTransfers, pick: Callable[[SchemeResult], Estimate | None]
) -> list[tuple[str, list[str]]]:
    def cell(document: TransferDocument, scheme: str) -> str:
        result = document.schemes.get(scheme)
        value = pick(result) if result else None
        return estimate(value) if value else NONE

    return [
        (scheme, [f"`{scheme}`", *(cell(document, scheme) for document in transfers.documents)])
        for scheme in transfers.schemes
    ]


def _fit_time(transfers: StudyTransfers, scheme: str) -> str:
    seconds = transfers.fit_seconds(scheme)
    return NONE if seconds is None else duration(seconds)


def _method(transfers: StudyTransfers) -> str:
    n_texts = ", ".join(f"`{each.sample.name}` {each.sample.n_test:,}" for each in transfers.documents)
    return (
        "Each fit trains by one scheme, from the pre-trained encoder, on the sample's own training split, and is "
        f"scored on its test split, {counted(transfers.n_seeds, 'seed')} for each scheme. Test texts: {n_texts}. "
        "Intervals are 95 %, over seeds and texts."
    )


def _not_above_baseline(document: TransferDocument) -> str | None:
    """Name the schemes whose interval does not lie above the baseline of a sample, and its score; None without any."""
    baseline, schemes = document.sample.majority_baseline, document.schemes
    low = [f"`{scheme}`" for scheme, result in schemes.items() if result.score.low <= baseline]
    if not low:
        return None
    named = "all schemes" if len(low) == len(schemes) else ", ".join(low)
    return f"{named} on `{document.sample.name}` ({score(baseline)})"


def _cautions(transfers: StudyTransfers) -> Iterator[str]:
    if low := list(filter(None, map(_not_above_baseline, transfers.documents))):
        yield (f"The interval does not lie above {constant_baseline(transfers.documents[0].metric)}: {'; '.join(low)}.")
    if transfers.single_rate_is_baseline:
        yield (
            f"The best single rate is the baseline's own: `{UNIFORM}` is `{BASELINE}` once more, and a comparison with "
            "either is one with both."
        )
    if diverged := transfers.n_diverged:
        yield f"Diverged: {', '.join(f'`{scheme}` {n} x' for scheme, n in diverged.items())}."
