"""Warnings about class names: one class under several names, unlabelled rows, rare classes, numbers."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping

from finetune_alf.data.missing_names import MINUS_ONE, drop_setting, is_missing_name
from finetune_alf.data.readers.numbers import number_of
from finetune_alf.data.sample import Card

RARE = 10
"""Classes with fewer rows than this give a warning."""

MANY_NUMBERS = 50
"""From so many different numbers on, labels may be scores."""

MAX_LISTED = 10

Counts = Mapping[str, int]
WayOut = Callable[[str], str]
"""What to do so that a value of `labels` applies, such as `{drop: [-1]}`."""


def in_sample(labels: str) -> str:
    """Return how to set `labels` of a sample that is drawn."""
    return f"set `labels: {labels}` of the sample, or run `init` with --labels '{labels}', which sizes its splits"


def label_warnings(counts: Counts, way_out: WayOut = in_sample) -> Iterator[str]:
    """Yield a text for each thing about the classes of a source that is likely to be a mistake, with a way out."""
    yield from _variants(counts, way_out)
    yield from _unlabelled(counts, way_out)
    yield from _numbers(counts)
    yield from _rare(counts, way_out)


def unlearnable_classes(card: Card) -> Iterator[str]:
    """Yield a text where rows can have several classes, and the training split has no row of some."""
    missing = [name for name, n in (card.class_counts or {}).get("train", {}).items() if not n]
    if missing:
        yield (
            f"No training text is of {', '.join(map(repr, missing[:MAX_LISTED]))}"
            f"{f' and {len(missing) - MAX_LISTED} more classes' if len(missing) > MAX_LISTED else ''}, so that no fit "
            "can learn them. Raise n_train, or leave them out with `labels: {drop: [...]}` of the sample."
        )


def _variants(counts: Counts, way_out: WayOut) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for name in counts:
        groups.setdefault(_key(name), []).append(name)
    alike = [sorted(names, key=lambda name: -counts[name]) for names in groups.values() if len(names) > 1]
    for names in alike[:MAX_LISTED]:
        joined = json.dumps(dict.fromkeys(names[1:], names[0]), ensure_ascii=_print_alike(names))
        labels = f"{{map: {joined}}}".replace("'", "\\u0027")  # so that it can stand in quotes of a shell
        yield (
            f"The classes {_with_counts(names, counts)} differ {_difference(names)} alone. "
            f"If they are one class, {way_out(labels)}."
        )
    if len(alike) > MAX_LISTED:
        yield f"{len(alike) - MAX_LISTED} more groups of classes differ in spelling alone."


def _key(name: str) -> str:
    """Return what spellings of a class have in common: case, space, forms of characters, those unseen, 0 and 0.0."""
    key = " ".join(unicodedata.normalize("NFKC", _visible(name)).casefold().split())
    return str(float(key)) if re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", key) else key


def _visible(name: str) -> str:
    """Return a name without the characters that nobody sees, such as a space of width zero."""
    return "".join(character for character in name if unicodedata.category(character) != "Cf")


def _difference(names: list[str]) -> str:
    if len({unicodedata.normalize("NFC", name) for name in names}) == 1:
        return "in the encoding of accents (NFC and NFD)"
    if len({unicodedata.normalize("NFC", _visible(name)) for name in names}) == 1:
        return "in characters that are not seen"
    spaced = {" ".join(name.split()) for name in names}
    if len(spaced) > 1 and len({unicodedata.normalize("NFKC", name) for name in spaced}) == 1:
        return "in the form of characters (such as full-width letters)"
    return "in how a number is written" if re.fullmatch(r"[-\d. ]+", "".join(spaced)) else "in case or space"


def _print_alike(names: list[str]) -> bool:
    is_printable = all(name.isprintable() for name in names)
    return not is_printable or len({unicodedata.normalize("NFC", name) for name in names}) < len(names)


def _unlabelled(counts: Counts, way_out: WayOut) -> Iterator[str]:
    others = [name for name in counts if name not in MINUS_ONE and not is_missing_name(name)]
    missing = [name for name in counts if name not in others]
    if not _mark_missing(others):
        missing = [name for name in missing if name not in MINUS_ONE]
    if missing and len(counts) - len(missing) >= 2:
        are = "class" if len(missing) == 1 else "classes"
        yield (
            f"The {are} {_with_counts(missing, counts)} may mark rows without a label. If so, "
            f"{way_out(drop_setting(missing))}."
        )


def _mark_missing(others: list[str]) -> bool:
    """Say whether -1 beside these classes marks rows without a label: beside names, or beside 0, 1 and so on."""
    return any(number_of(name) is None for name in others) or (
        {"0", "1"} <= set(others) and all(name.isdecimal() for name in others)
    )


def _numbers(counts: Counts) -> Iterator[str]:
    are_numbers = all(number_of(name) is not None for name in counts)
    if are_numbers and len(counts) >= MANY_NUMBERS:
        yield (
            f"The labels are {len(counts)} different numbers, each of them a class. "
            "If they are scores, set `problem_type: regression` of the sample."
        )


def _rare(counts: Counts, way_out: WayOut) -> Iterator[str]:
    rare = [name for name, n in counts.items() if n < RARE]
    if rare:
        are = "class has" if len(rare) == 1 else "classes have"
        yield (
            f"{len(rare)} {are} fewer than {RARE} rows: {_with_counts(rare, counts)}. To leave them out, "
            f"{way_out(f'{{min_rows: {RARE}}}')}; `map` in the place of `min_rows` joins them to others."
        )


def _with_counts(names: list[str], counts: Counts) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    first = counts[names[0]]
    shown = [f"{names[0]!r} ({first} row{'s' if first != 1 else ''})"]
    return ", ".join([*shown, *(f"{name!r} ({counts[name]})" for name in names[1:MAX_LISTED])]) + more
