"""The tables of `finetune-alf errors`, for a terminal."""

import shutil
from collections.abc import Iterator, Sequence, Set

from finetune_alf.error_analysis.confusion import Confusion
from finetune_alf.error_analysis.document import ErrorsDocument
from finetune_alf.error_analysis.label_errors import LabelErrors
from finetune_alf.error_analysis.schemes import SchemesCompared
from finetune_alf.error_analysis.texts import FoundText, Text
from finetune_alf.experiments.scheme_words import schemes_in_words
from finetune_alf.report.numbers import NONE, counted, score

MIN_TEXT = 60
"""So many characters of a text have room beside the other columns; with less, texts stand on lines of their own."""

INDENT = "    "
"""Before a text on a line of its own."""

ABOVE = "(above)"
"""Stands for a text that is shown already, where its place names it."""

MARK = "?"
"""Stands beside a wrong text whose label is likely wrong."""

Rows = list[tuple[str, ...]]


def lines_of(document: ErrorsDocument, n: int, width: int | None = None) -> Iterator[str]:
    """Yield the lines that show a document, with `n` texts of each kind; the width is that of the terminal."""
    width = width or shutil.get_terminal_size((120, 24)).columns
    found = document.confusion
    share = score(found.n_right / found.n_texts)
    yield (
        f"{document.folder}, fitted by {document.scheme}: {found.n_right:,} of {found.n_texts:,} {document.split} "
        f"texts of {document.sample.name} are right ({share})"
    )
    yield from _confusion(found, n, width)
    wrong = {each.index for each in document.wrong[:n]}
    yield from _wrong(document, n, width)
    if document.schemes is not None:
        yield from _schemes(document, document.schemes, n, width, wrong)
    disputed = {each.index for each in document.schemes.texts[:n]} if document.schemes else set()
    for part in document.label_errors:
        is_same = part.split == document.split
        marked = wrong if is_same and not part.is_weak else set[int]()
        shown = wrong | disputed if is_same else set[int]()
        yield from _label_errors(part, n, width, marked, shown)
    for note in document.notes:
        yield from ("", note)


def _confusion(found: Confusion, n: int, width: int) -> Iterator[str]:
    names = [_one_line(each.name) for each in found.classes]
    rows: Rows = [("class", "texts", "recall", "precision", *(f"as {name}" for name in names))]
    for name, each, counts in zip(names, found.classes, found.counts, strict=True):
        rows.append((name, f"{each.n_true:,}", score(each.recall), score(each.precision), *map(str, counts)))
    fits = len(_aligned(rows)[0]) <= width
    yield ""
    yield "Recall: the share of a class's texts that are found. Precision: the share of its predictions that are right."
    yield from _aligned(rows if fits else [row[:4] for row in rows])
    confused = found.most_confused()
    if not fits and confused:
        rows = [("true -> predicted", "texts")]
        rows += [(_arrow(true, predicted), f"{times:,}") for true, predicted, times in confused[:n]]
        yield from (
            _heading("Pairs of classes that are confused most", min(n, len(confused)), len(confused)),
            *_aligned(rows),
        )


def _wrong(document: ErrorsDocument, n: int, width: int) -> Iterator[str]:
    wrong = document.wrong
    if not wrong:
        yield from ("", "No text is wrong.")
        return
    yield _heading("Texts that are wrong, the surest first", min(n, len(wrong)), len(wrong))
    likely = _likely_label_errors(document)
    marked = f" {MARK}: the label is likely wrong." if any(each.index in likely for each in wrong[:n]) else ""
    yield f"Sure: the probability of the predicted class. Either the classifier is wrong here, or the label is.{marked}"
    columns = [
        (
            score(each.probability),
            _arrow(each.label, each.predicted),
            *([MARK if each.index in likely else ""] if marked else []),
        )
        for each in wrong[:n]
    ]
    headings = ("sure", "true -> predicted", *(["label"] if marked else []))
    yield from _with_texts(headings, columns, wrong[:n], width)


def _likely_label_errors(document: ErrorsDocument) -> set[int]:
    """Return the indices in the split of the texts whose labels are likely wrong, of lists that can be trusted."""
    trusted = [part for part in document.label_errors if part.split == document.split and not part.is_weak]
    return {each.index for part in trusted for each in part.texts}


def _schemes(document: ErrorsDocument, found: SchemesCompared, n: int, width: int, shown: Set[int]) -> Iterator[str]:
    """Yield the lines about the schemes; the texts that are `shown` above are known."""
    schemes = list(found.n_seeds)
    if len(schemes) < 2:
        yield from ("", f"The transfer has {counted(len(schemes), 'scheme')} with predictions, so that none disagree.")
        return
    kappas = {each.schemes: each.kappa for each in found.agreements}
    yield from (
        "",
        "Agreement of two fits beyond chance (Cohen's kappa): of two schemes, and of two seeds of the same one",
        "1 is full agreement, 0 that of chance. Schemes that agree about as seeds do differ no more than seeds.",
    )
    rows: Rows = [("scheme", "seeds", *schemes)]
    for index, scheme in enumerate(schemes):
        earlier = (_kappa(kappas[other, scheme]) for other in schemes[: index + 1])
        rows.append((scheme, str(found.n_seeds[scheme]), *earlier, *[""] * (len(schemes) - index - 1)))
    if len(_aligned(rows)[0]) > width:  # the columns have the numbers of the rows
        numbered: Rows = [(f"{number} {own[0]}", *own[1:]) for number, own in enumerate(rows[1:], 1)]
        rows = [("scheme", "seeds", *(str(number) for number in range(1, len(rows)))), *numbered]
    yield from _aligned(rows)
    if words := schemes_in_words(schemes):
        yield words
    texts = found.texts
    if not texts:
        yield from ("", "The schemes agree on every text: the class that most seeds predict is the same.")
        return
    yield _heading("Texts on which schemes disagree, by how many do", min(n, len(texts)), len(texts))
    yield "Each scheme with its most frequent answer, and how many of its seeds gave that."
    for each in texts[:n]:
        yield _one_line(f"labelled {each.label}: {document.answers_in_words(each)}")
        yield from _own_line(_text_once(each, shown), f"{each.place}  " if each.place else "", width)


def _label_errors(part: LabelErrors, n: int, width: int, marked: Set[int], shown: Set[int]) -> Iterator[str]:
    """Yield the lines about likely label errors, without the texts that are `marked` among the wrong ones.

    Others that are `shown` above are known by their index in the split.
    """
    by = "the classifier" if part.by == "classifier" else "a cross-validated probe"
    if not part.texts:
        yield from ("", f"No label of the {part.n_texts:,} {part.split} texts is likely wrong, by {by}.")
        return
    title = f"Labels that are likely wrong among the {part.n_texts:,} {part.split} texts, by {by}"
    rest = [each for each in part.texts if each.index not in marked]
    n_marked = len(part.texts) - len(rest)
    yield _heading(title, min(len(part.texts), n_marked + n), len(part.texts))
    margin = "Margin: the probability of the label minus the highest other one. " if rest else ""
    yield f"{margin}Read a text before you change its label."
    if part.is_weak:
        share = score(part.n_right / part.n_texts)
        caution = f"Do not trust this list: the {part.by} predicts only {share} of these labels."
        yield f"{caution} Most of it is likely its errors."
    if n_marked:
        yield f"Marked with {MARK} among the wrong texts above: {n_marked:,}."
    if rest:
        columns = [(score(each.margin), _arrow(each.label, each.likely)) for each in rest[:n]]
        yield from _with_texts(("margin", "label -> likely"), columns, rest[:n], width, shown)


def _with_texts(
    headings: Sequence[str],
    columns: Sequence[Sequence[str]],
    found: Sequence[FoundText],
    width: int,
    shown: Set[int] = frozenset(),
) -> list[str]:
    """Return a table that ends with the places, where they are known, and as much of each text as there is room for.

    Where that is little for any text, each has a line of its own below its row.
    """
    has_places, texts = any(each.place for each in found), [_text_once(each, shown) for each in found]
    rows: Rows = [
        (*headings, *(["place"] if has_places else [])),
    ]
    rows += [(*own, *([each.place or NONE] if has_places else [])) for own, each in zip(columns, found, strict=True)]
    left = _aligned(rows, to_right=(0,))
    used = max(map(len, left)) + 2
    room = width - used
    if room < min(MIN_TEXT, max(len(shortened(text, MIN_TEXT)) for text in texts)):
        below = [[line, *_own_line(text, "", width)] for line, text in zip(left[1:], texts, strict=True)]
        return [left[0], *(line for lines in below for line in lines)]
    heading, *lines = (line.ljust(used) for line in left)
    return [f"{heading}text", *(line + shortened(text, room) for line, text in zip(lines, texts, strict=True))]


def _text_once(found: FoundText, shown: Set[int]) -> Text:
    """Return a text, or what stands for one that is shown above."""
    return ABOVE if found.place and found.index in shown else found.text


def _own_line(text: Text, before: str, width: int) -> list[str]:
    """Return a text on a line of its own, with what stands before it; on a second one where both leave little room."""
    room = width - len(INDENT) - len(before)
    if before and room < min(MIN_TEXT, len(shortened(text, MIN_TEXT))):
        return [f"{INDENT}{before.rstrip()}", *_own_line(text, "", width)]
    return [f"{INDENT}{before}{shortened(text, room)}"]


def shortened(text: Text, width: int) -> str:
    """Return a text or pair on one line of at most this width, without characters that a terminal would obey."""
    line = _one_line(text if isinstance(text, str) else " | ".join(text))
    return line if len(line) <= width else line[: width - 3].rstrip() + "..."


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def _arrow(one: str, other: str) -> str:
    return f"{_one_line(one)} -> {_one_line(other)}"


def _kappa(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _heading(title: str, n_shown: int, n_all: int) -> str:
    return f"\n{title}: {n_all:,}" if n_shown == n_all else f"\n{title}: {n_shown:,} of {n_all:,}"


def _aligned(rows: Rows, to_right: Sequence[int] | None = None) -> list[str]:
    """Return rows as lines; all columns but the first stand to the right, unless they are named."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = range(1, len(widths)) if to_right is None else to_right
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
