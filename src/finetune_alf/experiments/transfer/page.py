"""Transfers on the page: test scores by scheme and sample, and the tested differences from the baseline."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune_alf.comparison import ComparedDifference
from finetune_alf.documents import Estimate
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.document import SchemeResult, TransferDocument
from finetune_alf.experiments.transfer.family import Contrast, judged_transfers, scheme_differences, transfer_family
from finetune_alf.experiments.transfer.figure import transfer_plot
from finetune_alf.experiments.transfer.published import thesis_section
from finetune_alf.experiments.transfer.views import findings_of
from finetune_alf.paths import Paths
from finetune_alf.register.recommend import BASELINE, LINEAR, PRIMARY, UNIFORM, SchemeDifferences
from finetune_alf.report.environments import environment_line
from finetune_alf.report.evidence import constant_baseline, how_to_read, p_cell, verdict_cell
from finetune_alf.report.numbers import NONE, counted, duration, estimate, p_value, score, signed_estimate
from finetune_alf.report.part import Part
from finetune_alf.report.search import words
from finetune_alf.report.section import Section
from finetune_alf.report.views import TransferFindings


@dataclass(frozen=True)
class SampleTransfer:
    """A study's transfer to one sample: its document and its cells."""

    document: TransferDocument
    cells: tuple[TransferLine, ...]


Transfers = Sequence[SampleTransfer]
"""Those of one study, all by one metric."""


def transfer_part(paths: Paths) -> Part | None:
    """Return the transfers of all studies that have some, one study after another."""
    section, summary = Section(), []
    tested: dict[str, dict[str, SchemeDifferences]] = {}
    findings: dict[str, TransferFindings] = {}
    for folder in sorted(folder for folder in paths.experiment("transfer").glob("[!.]*") if folder.is_dir()):
        if transfers := tuple(_read(paths, folder)):
            section.append(_study_section(folder.name, transfers))
            summary += list(_summary(folder.name, transfers))
            findings[folder.name] = findings_of(paths, [one.document for one in transfers])
            searched = [one.document for one in transfers if one.document.sample.name == one.document.searched_on]
            tested |= {document.study: scheme_differences(document) for document in searched}
    return Part(tuple(summary), section, tested, findings) if section.blocks else None


def _read(paths: Paths, folder: Path) -> Iterator[SampleTransfer]:
    for file in sorted(folder.glob("[!.]*.json")):
        if not file.name.endswith(".predictions.json"):
            cells = TransferLine.read_lines(paths.cells("transfer", folder.name, file.stem))
            yield SampleTransfer(TransferDocument.read(file), cells)


def _summary(study: str, transfers: Transfers) -> Iterator[str]:
    """Yield the differences of the first schedule: where it was searched, then on the samples of its claim."""
    judged, searched_on = _judged(transfers), transfers[0].document.searched_on
    metric = _metric(transfers)
    references = _REFERENCES[:1] if _single_rate_is_baseline(transfers) else _REFERENCES
    there = [
        f"**{_signed(found)}** against {described}"
        for reference, described in references
        if (found := judged.get((searched_on, PRIMARY, reference)))
    ]
    if there:
        yield (
            f"`{PRIMARY}` of `{study}` on the test texts of `{searched_on}`, on which it was searched: "
            f"{', '.join(there)} (test {metric}). For that sample this is the number to go by."
        )
    for reference, described in references:
        targets = [
            f"`{sample}` {_signed(found)}, {found.verdict}"
            for (sample, _, other), found in judged.items()
            if found.verdict and other == reference
        ]
        if targets:
            yield f"`{PRIMARY}` of `{study}` against {described}, by target sample: {'; '.join(targets)}."
    for linear in LINEAR:
        of_it = [f"`{sample}` {_signed(each)}" for (sample, scheme, _), each in judged.items() if scheme == linear]
        if of_it:
            yield (
                f"`{linear}`, a linear model that trains no layer, against plain fine-tuning with the recipe of "
                f"`{study}`, by sample: {'; '.join(of_it)}."
            )


_REFERENCES = ((BASELINE, "plain fine-tuning"), (UNIFORM, "the best single rate"))
"""What a schedule is compared with, as the summary calls it."""


def _signed(found: ComparedDifference) -> str:
    return signed_estimate(found.mean, found.low, found.high)


def _study_section(study: str, transfers: Transfers) -> Section:
    """Return the tables and the figure of a study; rows are schemes, columns samples, as in the thesis."""
    section, metric = Section(), _metric(transfers)
    section.heading(2, f"Transfer of `{study}`")
    section.text(_method(transfers))
    section.text(environment_line([share for one in transfers for share in one.document.environments]))
    section.text(f"**Test {metric}**")
    section.table(
        ("scheme", *_samples(transfers), "time of a fit"),
        [[*row, _fit_time(transfers, scheme)] for scheme, row in _score_rows(transfers, lambda result: result.score)],
    )
    section.figure(
        f"{study}-transfer.png",
        f"Test {metric} of each scheme of {study} on each sample, with 95 % intervals",
        transfer_plot([transfer.document for transfer in transfers], metric, f"{study}-transfer"),
    )
    section.text(*_cautions(transfers))
    section.append(_differences(transfers, metric))
    for title, name, pick in _ACCURACIES:
        if name != metric and any(pick(result) for _, result in _results(transfers)):
            section.text(title)
            section.table(("scheme", *_samples(transfers)), [row for _, row in _score_rows(transfers, pick)])
    if thesis := thesis_section([transfer.document for transfer in transfers]):
        section.heading(3, "Results of the thesis")
        section.append(thesis)
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


def _schemes(transfers: Transfers) -> tuple[str, ...]:
    """Return the schemes of all samples, in the order of the files."""
    return tuple(dict.fromkeys(scheme for transfer in transfers for scheme in transfer.document.schemes))


def _results(transfers: Transfers) -> Iterator[tuple[TransferDocument, SchemeResult]]:
    for transfer in transfers:
        yield from ((transfer.document, result) for result in transfer.document.schemes.values())


def _judged(transfers: Transfers) -> dict[Contrast, ComparedDifference]:
    return judged_transfers([transfer.document for transfer in transfers])


def _differences(transfers: Transfers, metric: str) -> Section:
    """Return the table of the declared family with its verdicts, then the exploratory differences."""
    section, differences = Section(), _judged(transfers)
    primary = {key: found for key, found in differences.items() if found.verdict}
    section.text(f"**Differences** ({metric}, on the same texts and seeds)")
    if primary:
        section.table(
            ("sample", "scheme", "against", "difference", "SD of seeds", "p", "p, corrected", "verdict"),
            [
                [*_difference_row(key, found), p_value(found.p), p_cell(found.p_holm), verdict_cell(found.verdict)]
                for key, found in primary.items()
            ],
        )
    family = transfer_family([transfer.document for transfer in transfers])
    section.text(how_to_read(family.described, list(differences.values()), _n_seeds(transfers)))
    if exploratory := {key: found for key, found in differences.items() if key not in primary}:
        section.text(f"**Exploratory differences**{_searched_on(transfers)}")
        section.table(
            ("sample", "scheme", "against", "difference", "SD of seeds"),
            [_difference_row(*each) for each in exploratory.items()],
        )
    return section


def _searched_on(transfers: Transfers) -> str:
    """Name the sample that the study was searched on, where it is among those of the transfer."""
    searched_on = transfers[0].document.searched_on
    is_here = any(transfer.document.sample.name == searched_on for transfer in transfers)
    return f" (the study was searched on `{searched_on}`)" if is_here else ""


def _difference_row(key: Contrast, found: ComparedDifference) -> list[str]:
    estimated = _signed(found)
    return [*(f"`{name}`" for name in key), estimated, score(found.sd_seeds)]


def _samples(transfers: Transfers) -> list[str]:
    return [f"`{transfer.document.sample.name}`" for transfer in transfers]


def _metric(transfers: Transfers) -> str:
    return " or ".join(dict.fromkeys(words(transfer.document.metric) for transfer in transfers))


def _score_rows(transfers: Transfers, pick: Callable[[SchemeResult], Estimate | None]) -> list[tuple[str, list[str]]]:
    def cell(transfer: SampleTransfer, scheme: str) -> str:
        result = transfer.document.schemes.get(scheme)
        value = pick(result) if result else None
        return estimate(value) if value else NONE

    return [
        (scheme, [f"`{scheme}`", *(cell(transfer, scheme) for transfer in transfers)]) for scheme in _schemes(transfers)
    ]


def _fit_time(transfers: Transfers, scheme: str) -> str:
    seconds = [cell.seconds for transfer in transfers for cell in transfer.cells if cell.scheme == scheme]
    return duration(sum(seconds) / len(seconds)) if seconds else NONE


def _method(transfers: Transfers) -> str:
    samples = [transfer.document.sample for transfer in transfers]
    n_texts = ", ".join(f"`{sample.name}` {sample.n_test:,}" for sample in samples)
    return (
        "Each cell trains by one scheme, from the pre-trained encoder, on the sample's own training split, and is "
        f"scored on its test split, {counted(_n_seeds(transfers), 'seed')} for each scheme. Test texts: {n_texts}. "
        "Intervals are 95 %, over seeds and texts."
    )


def _cautions(transfers: Transfers) -> Iterator[str]:
    low = [
        f"`{scheme}` on `{transfer.document.sample.name}` ({score(transfer.document.sample.majority_baseline)})"
        for transfer in transfers
        for scheme, result in transfer.document.schemes.items()
        if result.score.low <= transfer.document.sample.majority_baseline
    ]
    diverged = Counter(cell.scheme for transfer in transfers for cell in transfer.cells if cell.stopped == "diverged")
    if low:
        baseline = constant_baseline(transfers[0].document.metric)
        yield f"The interval does not lie above {baseline}: {'; '.join(low)}."
    if _single_rate_is_baseline(transfers):
        yield (
            f"The best single rate is the baseline's own: `{UNIFORM}` is `{BASELINE}` once more, and a comparison with "
            "either is one with both."
        )
    if diverged:
        yield f"Diverged: {', '.join(f'`{scheme}` {n} x' for scheme, n in diverged.items())}."


def _single_rate_is_baseline(transfers: Transfers) -> bool:
    """Return whether the best single rate is the baseline's own: its cells have the same rates."""
    rates = {cell.scheme: cell.rates for transfer in transfers for cell in transfer.cells}
    return UNIFORM in rates and BASELINE in rates and rates[UNIFORM] == rates[BASELINE]


def _n_seeds(transfers: Transfers) -> int:
    return len({cell.seed for transfer in transfers for cell in transfer.cells})
