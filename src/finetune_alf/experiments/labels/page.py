"""Labels experiments on the page: scores by number of texts, what more texts add, and how many a scheme is worth."""

from collections.abc import Callable, Iterator

from finetune_alf.experiments.labels.compare import PER
from finetune_alf.experiments.labels.document import EquivalentTexts, LabelsDocument, SampleTable, SizeResult
from finetune_alf.experiments.labels.family import DESCRIBED
from finetune_alf.experiments.labels.figure import labels_plot
from finetune_alf.metric_names import PROBLEM_TYPES
from finetune_alf.paths import Paths
from finetune_alf.report.environments import environment_line
from finetune_alf.report.evidence import constant_baseline, how_to_read, p_cell, verdict_cell
from finetune_alf.report.numbers import NONE, counted, duration, estimate, score, signed_estimate
from finetune_alf.report.part import DocumentPart, Part, part_of_each
from finetune_alf.report.search import words
from finetune_alf.report.section import Section, code

OVERLAP = 0.5
"""Draws that take a larger share of the pool than this have many texts in common."""


def labels_part(paths: Paths) -> Part | None:
    """Return the experiments that have run, one after another."""
    return part_of_each(paths.experiment("labels"), LabelsDocument, _document_part)


def _document_part(document: LabelsDocument) -> DocumentPart:
    return DocumentPart(f"Number of labelled texts `{document.name}`", _section(document), tuple(_summary(document)))


def _section(document: LabelsDocument) -> Section:
    section = Section()
    section.text(_method(document))
    section.text(environment_line(document.environments))
    section.figure(
        f"{document.name}-labels.png",
        f"Test {words(document.metric)} of each scheme of {document.name} by the number of labelled training texts",
        labels_plot(document),
    )
    for name, table in document.samples.items():
        title = (
            f"**`{name}`**: {table.sample.n_test:,} test texts, draws from {table.sample.n_pool:,} texts; "
            f"{constant_baseline(document.metric)} scores {score(table.sample.majority_baseline)}."
        )
        section.table(("scheme", *_sizes(document), "time of the largest fit"), _score_rows(table), title)
    section.text(*_cautions(document))
    section.append(_gains(document))
    section.append(_equivalents(document))
    section.append(_differences(document))
    return section


def _method(document: LabelsDocument) -> str:
    evenly = "" if "regression" in PROBLEM_TYPES[document.metric] else " Classes have as many texts each."
    return (
        f"`{document.encoder.name}` and other schemes learn from {', '.join(f'{n:,}' for n in document.n_train)} "
        f"labelled texts, {counted(document.n_seeds, 'draw')} of each sample, each with a fit seed of its own.{evenly} "
        "Texts of a smaller number are among those of a larger one, and all schemes have the "
        f"same. Recipe of `{document.baseline}`: batch {document.recipe.batch}, "
        f"{counted(document.recipe.epochs, 'epoch')}, {document.recipe.max_tokens} tokens. Intervals are 95 %, over "
        "draws and test texts."
    )


def _sizes(document: LabelsDocument) -> list[str]:
    return [counted(n, "text") for n in document.n_train]


def _score_rows(table: SampleTable) -> Iterator[list[str]]:
    for scheme, sizes in table.schemes.items():
        scores = [estimate(size.score) if size.score else "diverged" for size in sizes]
        yield [code(scheme), *scores, duration(sizes[-1].seconds)]


def _rows(
    document: LabelsDocument, cell: Callable[[SizeResult], str], *, others_only: bool = False
) -> Iterator[list[str]]:
    """Yield a row for each sample and scheme with a cell for each size."""
    for name, table in document.samples.items():
        for scheme, sizes in table.schemes.items():
            if not others_only or scheme != document.baseline:
                yield [f"`{name}`", code(scheme), *map(cell, sizes)]


def _gains(document: LabelsDocument) -> Section:
    """Return what more texts add to each scheme."""
    section = Section()
    if len(document.n_train) < 2:
        return section
    steps = [f"{a:,} to {b:,}" for a, b in zip(document.n_train[:-1], document.n_train[1:], strict=True)]
    title = f"**What {PER} more labelled texts add** (on the average between two numbers of texts)"
    rows = [[*row[:2], *row[3:]] for row in _rows(document, _gain_cell)]
    section.table(("sample", "scheme", *steps), rows, title)
    return section


def _gain_cell(size: SizeResult) -> str:
    return NONE if size.gain is None else signed_estimate(size.gain.mean, size.gain.low, size.gain.high)


def _equivalents(document: LabelsDocument) -> Section:
    """Return how many texts each scheme is worth."""
    section = Section()
    rows = list(_rows(document, lambda size: texts_cell(document, size.equivalent), others_only=True))
    if len(document.n_train) < 2 or not rows:
        return section
    title = f"**With how many texts `{document.baseline}` scores the same**"
    section.table(("sample", "scheme", *(f"as with {size}" for size in _sizes(document))), rows, title)
    section.text(
        f"A number above the column's is what labels for `{document.baseline}` would have to make up for. Between two "
        "numbers of texts its curve is taken as linear in their logarithm. In brackets are all numbers whose score "
        f"does not differ by the 95 % interval; where it reaches beyond {document.n_train[0]:,} or "
        f"{document.n_train[-1]:,} texts, these data do not say how far."
    )
    return section


def texts_cell(document: LabelsDocument, found: EquivalentTexts | None) -> str:
    """Write a number of texts with its interval, as in 120 [64, over 512]."""
    if found is None:
        return NONE
    fewest, most = document.n_train[0], document.n_train[-1]
    ends = {"above": f"over {most:,}", "below": f"under {fewest:,}"}
    mean = f"{found.n:,}" if found.n is not None else ends[found.beyond or "above"]
    low = f"under {fewest:,}" if found.low is None else f"{found.low:,}"
    high = f"over {most:,}" if found.high is None else f"{found.high:,}"
    return f"{mean} [{low}, {high}]"


def _differences(document: LabelsDocument) -> Section:
    """Return the differences from the baseline with as many texts, with verdicts at both ends."""
    section = Section()
    found = [
        (name, scheme, size, size.difference)
        for name, table in document.samples.items()
        for scheme, sizes in table.schemes.items()
        for size in sizes
        if size.difference
    ]
    if not found:
        return section
    section.table(
        ("sample", "scheme", "texts", "difference", "p, corrected", "verdict"),
        [
            (
                f"`{name}`",
                code(scheme),
                f"{size.n_train:,}",
                signed_estimate(difference.mean, difference.low, difference.high),
                p_cell(difference.p_holm),
                verdict_cell(difference.verdict),
            )
            for name, scheme, size, difference in found
        ],
        f"**Differences from `{document.baseline}`** with as many texts",
    )
    section.text(how_to_read(DESCRIBED, [difference for *_, difference in found], document.n_seeds))
    return section


def _cautions(document: LabelsDocument) -> Iterator[str]:
    diverged = [
        f"{code(scheme)} on `{name}` with {size.n_train:,}, {counted(size.n_diverged, 'fit')}"
        for name, table in document.samples.items()
        for scheme, sizes in table.schemes.items()
        for size in sizes
        if size.n_diverged
    ]
    if diverged:
        yield f"Diverged, and left out of all means: {'; '.join(diverged)}."
    crowded = [
        f"`{name}` from {table.sample.n_pool:,}"
        for name, table in document.samples.items()
        if document.n_train[-1] > OVERLAP * table.sample.n_pool
    ]
    if crowded:
        yield (
            f"The largest draws have more than half of their texts in common ({'; '.join(crowded)}): with texts of "
            "your own they would differ more, and the intervals there are too narrow."
        )


def _summary(document: LabelsDocument) -> Iterator[str]:
    for name, table in document.samples.items():
        ends = [_highest(document, table, index) for index in dict.fromkeys((0, len(document.n_train) - 1))]
        yield f"Labelled texts `{document.name}` on `{name}`: {'; '.join(ends)}.{_last_gain(document, table)}"


def _highest(document: LabelsDocument, table: SampleTable, index: int) -> str:
    """Name the scheme with the highest score at one number of texts."""
    scored = {scheme: found for scheme, sizes in table.schemes.items() if (found := sizes[index].score)}
    best = max(scored, key=lambda scheme: scored[scheme].mean, default=None)
    texts = counted(document.n_train[index], "text")
    if best is None:
        return f"with {texts} every fit diverged"
    baseline = scored.get(document.baseline)
    own = f" ({code(document.baseline)} {score(baseline.mean)})" if baseline and best != document.baseline else ""
    return f"with {texts} {code(best)} has the highest test {words(document.metric)}, {estimate(scored[best])}{own}"


def _last_gain(document: LabelsDocument, table: SampleTable) -> str:
    """Return what more texts add to the baseline up to the largest number."""
    gain = table.schemes[document.baseline][-1].gain
    if gain is None:
        return ""
    before = document.n_train[-2]
    return (
        f" From {before:,} texts on, {PER} more add {signed_estimate(gain.mean, gain.low, gain.high)} to "
        f"{code(document.baseline)}."
    )
