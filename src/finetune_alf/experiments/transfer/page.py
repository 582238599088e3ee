"""Does a schedule help elsewhere: scores by scheme and sample, and the differences from the baseline, tested."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune_alf.documents import Estimate
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.document import SchemeResult, TransferDocument
from finetune_alf.experiments.transfer.figure import transfer_plot
from finetune_alf.experiments.transfer.published import beside_the_thesis
from finetune_alf.metrics import METRICS
from finetune_alf.paths import Paths
from finetune_alf.report.numbers import NONE, chance, counted, duration, estimate, score, signed_estimate
from finetune_alf.report.part import Part
from finetune_alf.report.search import words
from finetune_alf.report.section import Section
from finetune_alf.stats import NO_EVIDENCE


@dataclass(frozen=True)
class Transferred:
    """One sample's transfer: the comparison, and the cells behind it."""

    compared: TransferDocument
    cells: tuple[TransferLine, ...]


Transfers = tuple[Transferred, ...]


def transfer_part(paths: Paths) -> Part | None:
    """Return the transfers of all studies that have some, one study after another."""
    folders = sorted(folder for folder in paths.experiment("transfer").glob("[!.]*") if folder.is_dir())
    studies = {folder.name: read for folder in folders if (read := tuple(_read(paths, folder)))}
    if not studies:
        return None
    section, in_short = Section(), []
    for study, transfers in studies.items():
        section.append(how_it_transfers(study, transfers))
        if published := beside_the_thesis([one.compared for one in transfers]):
            section.text("### Beside the thesis")
            section.append(published)
        in_short += list(_in_short(study, transfers))
    return Part(tuple(in_short), section)


def _read(paths: Paths, folder: Path) -> Iterator[Transferred]:
    for file in sorted(folder.glob("[!.]*.json")):
        if not file.name.endswith(".predictions.json"):
            lines = TransferLine.read_lines(paths.cells("transfer", folder.name, file.stem))
            yield Transferred(TransferDocument.read(file), lines)


def _in_short(study: str, transfers: Transfers) -> Iterator[str]:
    for alias in ("alf-1", "alf-2"):
        if by_sample := verdicts(transfers, alias):
            shown = "; ".join(f"`{sample}`: {verdict}" for sample, verdict in by_sample.items())
            yield f"`{alias}` of `{study}` against the baseline, by test sample: {shown}."


def how_it_transfers(study: str, transfers: Transfers) -> Section:
    """Return the transfer tables and figure; rows are schemes, columns samples, as in the thesis."""
    section, measure = Section(), _measure(transfers)
    section.text(f"## Transfer of `{study}`")
    section.text(_grounds(transfers))
    section.text(f"**Test {measure}**")
    section.table(
        ("scheme", *_samples(transfers), "time of a fit"),
        [[*row, _fit_time(transfers, scheme)] for scheme, row in _rows(transfers, lambda one: one.score)],
    )
    section.figure(
        f"{study}-transfer.png",
        f"Test {measure} of each scheme of {study} on each sample, with 95 % intervals",
        _plot(transfers, measure),
    )
    section.text(*_warnings(transfers))
    section.text(f"**Differences from the baseline** ({measure}, on the same texts and seeds)")
    section.table(("sample", "scheme", "difference", "p", "p, corrected", "verdict"), _difference_rows(transfers))
    section.text(overall(transfers), _how_judged(transfers))
    for title, own, pick in BESIDE:
        there = [pick(result) for one in transfers for result in one.compared.schemes.values()]
        if own != measure and any(there):
            section.text(title)
            section.table(("scheme", *_samples(transfers)), [row for _, row in _rows(transfers, pick)])
    return section


BESIDE: tuple[tuple[str, str, Callable[[SchemeResult], Estimate | None]], ...] = (
    ("**Accuracy**", "accuracy", lambda r: r.accuracy),
    (
        "**Balanced accuracy** (the mean of the classes' recalls)",
        "balanced accuracy",
        lambda one: one.balanced_accuracy,
    ),
)
"""What stands beside the metric where labels are classes."""


def schemes_of(transfers: Transfers) -> tuple[str, ...]:
    """Return the schemes of all samples, in the order of the files."""
    return tuple(dict.fromkeys(scheme for one in transfers for scheme in one.compared.schemes))


def verdicts(transfers: Transfers, scheme: str) -> dict[str, str]:
    """Return the verdict on a scheme, sample by sample."""
    differences = {one.compared.sample.name: one.compared.schemes.get(scheme) for one in transfers}
    return {name: one.difference.verdict for name, one in differences.items() if one and one.difference}


def overall(transfers: Transfers) -> str | None:
    """Say how many of the differences from the baseline were which way."""
    said = Counter(word for scheme in schemes_of(transfers) for word in verdicts(transfers, scheme).values())
    if not said:
        return None
    return (
        f"Of {counted(said.total(), 'comparison')} with the baseline, {said['better']} came out better and "
        f"{said['worse']} worse; for {said[NO_EVIDENCE]} there is no evidence of a difference, "
        "which is not evidence of equality."
    )


def _samples(transfers: Transfers) -> list[str]:
    return [f"`{one.compared.sample.name}`" for one in transfers]


def _measure(transfers: Transfers) -> str:
    """Return what all schemes are scored by, in words."""
    return " or ".join(dict.fromkeys(words(one.compared.metric) for one in transfers))


def _rows(transfers: Transfers, pick: Callable[[SchemeResult], Estimate | None]) -> list[tuple[str, list[str]]]:
    def cell(one: Transferred, scheme: str) -> str:
        found = pick(one.compared.schemes[scheme]) if scheme in one.compared.schemes else None
        return estimate(found) if found else NONE

    return [(scheme, [f"`{scheme}`", *(cell(one, scheme) for one in transfers)]) for scheme in schemes_of(transfers)]


def _difference_rows(transfers: Transfers) -> list[list[str]]:
    return [
        [
            f"`{one.compared.sample.name}`",
            f"`{scheme}`",
            signed_estimate(compared.mean, compared.low, compared.high),
            chance(compared.p),
            chance(compared.p_holm),
            compared.verdict if compared.verdict == NO_EVIDENCE else f"**{compared.verdict}**",
        ]
        for one in transfers
        for scheme, result in one.compared.schemes.items()
        if (compared := result.difference)
    ]


def _fit_time(transfers: Transfers, scheme: str) -> str:
    seconds = [cell.seconds for one in transfers for cell in one.cells if cell.scheme == scheme]
    return duration(sum(seconds) / len(seconds)) if seconds else NONE


def _grounds(transfers: Transfers) -> str:
    tests = ", ".join(f"`{one.compared.sample.name}` {one.compared.sample.n_test:,}" for one in transfers)
    return (
        "Each cell fine-tunes the pre-trained encoder on the sample's own training split and tests on its test split; "
        f"{counted(_n_seeds(transfers), 'seed')} a scheme. Test texts: {tests}. "
        "Intervals are 95 %, by resampling seeds and texts."
    )


def _warnings(transfers: Transfers) -> list[str]:
    at_chance = [
        f"`{scheme}` on `{one.compared.sample.name}` ({score(one.compared.sample.majority)})"
        for one in transfers
        for scheme, result in one.compared.schemes.items()
        if result.score.low <= one.compared.sample.majority
    ]
    diverged = Counter(cell.scheme for one in transfers for cell in one.cells if cell.stopped == "diverged")
    said = []
    if at_chance:
        one_answer = "the mean score" if _of_scores(transfers) else "the commonest class"
        said.append(f"Not shown to beat naming {one_answer} every time: {'; '.join(at_chance)}.")
    if diverged:
        told = ", ".join(f"`{scheme}` {n} x" for scheme, n in diverged.items())
        said.append(f"Diverged, so without a score: {told}.")
    return said


def _how_judged(transfers: Transfers) -> str:
    test = "exact sign-flip test over texts"
    if _measure(transfers) != "accuracy":
        test = "randomization test, the two schemes' answers exchanged text by text"
    said = (
        f"p: {test}; corrected after Holm over the schemes of a sample. "
        '"Better" and "worse" need a corrected p below .05 and an interval that leaves 0 out.'
    )
    known = {1: "With one seed nothing is known", 2: "With two seeds little is known"}.get(_n_seeds(transfers))
    return f"{said} {known} of how seeds differ." if known else said


def _n_seeds(transfers: Transfers) -> int:
    return len({cell.seed for one in transfers for cell in one.cells})


def _of_scores(transfers: Transfers) -> bool:
    return any(METRICS[one.compared.metric].of == "score" for one in transfers if one.compared.metric in METRICS)


def _plot(transfers: Transfers, measure: str) -> bytes:
    points = {
        one.compared.sample.name: {scheme: result.score.model_dump() for scheme, result in one.compared.schemes.items()}
        for one in transfers
    }
    majority = {one.compared.sample.name: one.compared.sample.majority for one in transfers}
    return transfer_plot(points, None if _of_scores(transfers) else majority, measure)
