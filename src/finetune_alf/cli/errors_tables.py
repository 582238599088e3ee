"""The tables of `finetune-alf errors`, for a terminal."""

import shutil
from collections.abc import Iterator, Sequence

from finetune_alf.error_analysis.confusion import Confusion
from finetune_alf.error_analysis.document import ErrorsDocument
from finetune_alf.error_analysis.label_errors import LabelErrors
from finetune_alf.error_analysis.schemes import SchemesCompared
from finetune_alf.error_analysis.texts import FoundText, Text
from finetune_alf.report.numbers import NONE, counted, score

MIN_TEXT = 24
"""So many characters of a text are shown at least, however wide the other columns are."""

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
    yield from _wrong(document, n, width)
    if document.schemes is not None:
        yield from _schemes(document, document.schemes, n, width)
    for part in document.label_errors:
        yield from _label_errors(part, n, width)
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
    yield "Sure: the probability of the predicted class. Either the classifier is wrong here, or the label is."
    columns = [(score(each.probability), _arrow(each.label, each.predicted)) for each in wrong[:n]]
    yield from _with_texts(("sure", "true -> predicted"), columns, wrong[:n], width)


def _schemes(document: ErrorsDocument, found: SchemesCompared, n: int, width: int) -> Iterator[str]:
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
    yield from _aligned(rows)
    texts = found.texts
    if not texts:
        yield from ("", "The schemes agree on every text: the class that most seeds predict is the same.")
        return
    yield _heading("Texts on which schemes disagree, by how many do", min(n, len(texts)), len(texts))
    yield "Each scheme with its most frequent answer, and how many of its seeds gave that."
    for each in texts[:n]:
        yield _one_line(f"labelled {each.label}: {document.answers_in_words(each)}")
        yield f"    {_place(each)}{shortened(each.text, width - 4 - len(_place(each)))}"


def _label_errors(part: LabelErrors, n: int, width: int) -> Iterator[str]:
    by = "the classifier" if part.by == "classifier" else "a cross-validated probe"
    if not part.texts:
        yield from ("", f"No label of the {part.n_texts:,} {part.split} texts is likely wrong, by {by}.")
        return
    title = f"Labels that are likely wrong among the {part.n_texts:,} {part.split} texts, by {by}"
    yield _heading(title, min(n, len(part.texts)), len(part.texts))
    yield "Margin: the probability of the label minus the highest other one. Read a text before you change its label."
    if part.is_weak:
        share = score(part.n_right / part.n_texts)
        caution = f"Do not trust this list: the {part.by} predicts only {share} of these labels."
        yield f"{caution} Most of it is likely its errors."
    shown = part.texts[:n]
    columns = [(f"{each.margin:.3f}", _arrow(each.label, each.likely)) for each in shown]
    yield from _with_texts(("margin", "label -> likely"), columns, shown, width)


def _with_texts(
    headings: Sequence[str], columns: Sequence[Sequence[str]], texts: Sequence[FoundText], width: int
) -> list[str]:
    """Return a table that ends with the places, where they are known, and as much of each text as there is room for."""
    has_places = any(each.place for each in texts)
    rows: Rows = [
        (*headings, *(["place"] if has_places else [])),
    ]
    rows += [(*own, *([each.place or NONE] if has_places else [])) for own, each in zip(columns, texts, strict=True)]
    left = _aligned(rows, to_right=(0,))
    used = max(map(len, left)) + 2
    heading, *lines = (line.ljust(used) for line in left)
    room = max(width - used, MIN_TEXT)
    return [f"{heading}text", *(line + shortened(each.text, room) for line, each in zip(lines, texts, strict=True))]


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


def _place(found: FoundText) -> str:
    return f"{found.place}  " if found.place else ""


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
