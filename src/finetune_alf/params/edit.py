"""Merging one YAML text into another as a ruamel round trip: comments, quotes and the way numbers are written are kept.

The rules are those of `document.overlay`: maps merge, lists and scalars replace, `~` removes a key.
"""

import io
from itertools import pairwise

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.tokens import CommentToken


class _Representer(RoundTripRepresenter):
    """Writes nothing as `~`, where ruamel leaves the place empty."""


_Representer.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "~"))


def _round_trip() -> YAML:
    """Return a reader and writer that gives a params file back byte for byte."""
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.width = 1 << 20  # no line is wrapped
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def has_aliases(text: str) -> bool:
    """Return whether YAML text has aliases, `*name`: to merge into one would change the others."""
    return any(isinstance(event, AliasEvent) for event in _round_trip().parse(text))


def merge_text(text: str, over: str) -> str:
    """Return the text of a YAML map without aliases, with another merged into it.

    A comment line belongs to the key below it.
    """
    yaml = _round_trip()
    merged, changes = yaml.load(text), yaml.load(over)
    last = _cut_lines(*_last_value(merged, next(reversed(merged)))) if merged else []
    for document in (merged, changes):
        _move_comments_down(document)
    _merge(merged, changes)
    written = io.StringIO()
    yaml.dump(merged, written)
    return written.getvalue() + "".join(token.value for token in last)


def _merge(under: CommentedMap, over: CommentedMap) -> None:
    if not over.fa.flow_style():
        under.fa.set_block_style()  # a map in braces has no room for comments
    for key, value in over.items():
        if value is None:
            under.pop(key, None)
            under.ca.items.pop(key, None)
        elif isinstance(value, CommentedMap) and isinstance(under.get(key), CommentedMap) and under[key]:
            _merge(under[key], value)
        else:
            _drop_nulls(value)
            comments = over.ca.items.get(key, [None] * 4)
            if key in under:
                _, above, behind, _ = under.ca.items.get(key, [None] * 4)
                comments = [None, above, behind or comments[2], None]
            under[key] = value
            under.ca.items[key] = comments
    if not under:
        under.fa.set_flow_style()


def _drop_nulls(value: object) -> None:
    if isinstance(value, CommentedMap):
        for key in [key for key, below in value.items() if below is None]:
            del value[key]
        for below in value.values():
            _drop_nulls(below)
        if not value:
            value.fa.set_flow_style()  # `{}` on the line of its key


def _move_comments_down(node: CommentedMap) -> None:
    """Hang each comment line on the key below it: ruamel hangs it on the value above."""
    if node.fa.flow_style():
        return
    for key, below in pairwise(node):
        _hang_above(node, below, _cut_lines(*_last_value(node, key)))
    for key, value in node.items():
        if isinstance(value, CommentedMap) and value:
            _hang_above(value, next(iter(value)), _cut_lines(node, key))
            _move_comments_down(value)


def _hang_above(node: CommentedMap, key: str, lines: list[CommentToken]) -> None:
    if lines:
        comments = node.ca.items.setdefault(key, [None] * 4)
        comments[1] = [*lines, *(comments[1] or ())]


def _last_value(node: CommentedMap | CommentedSeq, key: str | int) -> tuple[CommentedMap | CommentedSeq, str | int]:
    """Return where the last value of an entry is written."""
    value = node[key]
    if isinstance(value, CommentedMap | CommentedSeq) and value and not value.fa.flow_style():
        return _last_value(value, next(reversed(value)) if isinstance(value, CommentedMap) else len(value) - 1)
    return node, key


def _cut_lines(node: CommentedMap | CommentedSeq, key: str | int) -> list[CommentToken]:
    """Take the comment lines below a value, or below the key of a map, off it; the comment behind it stays."""
    comments = node.ca.items.get(key, [None] * 4)
    place = 2 if isinstance(node, CommentedMap) else 0
    lines, comments[3] = comments[3] or [], None
    if comments[place] is not None:
        behind, _, below = comments[place].value.partition("\n")
        comments[place] = CommentToken(f"{behind}\n", comments[place].start_mark) if behind else None
        lines = [CommentToken(below, CommentMark(0)), *lines] if below else lines
    return lines
