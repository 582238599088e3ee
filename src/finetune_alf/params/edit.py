"""Editing params.yaml as text: what an overlay changes is replaced, all else stays, comments included.

Only the lines that an overlay speaks of are touched, at the places where the YAML nodes say they begin and end.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from finetune_alf.errors import ParamsError
from finetune_alf.params.document import overlay
from finetune_alf.params.reading import compose, parse_document


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str
    depth: int


def lay_over(text: str, over: str, *, source: str, over_source: str) -> str:
    """Return a params file's text with an overlay laid over it, comments kept.

    Raises ParamsError, rather than lose anything, for YAML that cannot be edited in place (anchors, `<<`).
    """
    wanted = overlay(parse_document(text, source), parse_document(over, over_source)).value
    text = text if text.endswith("\n") else f"{text}\n"
    edits = _map_edits(text, compose(text, source), over, compose(over, over_source), 0)
    # From the end up, so that places stay right; at one place removals first, then the outermost insertion.
    for edit in sorted(edits, key=lambda edit: (-edit.start, edit.end == edit.start, edit.depth)):
        text = text[: edit.start] + edit.text + text[edit.end :]
    if not _reads_as(text, wanted):
        raise ParamsError(
            f"{source}: must be plain YAML, without anchors and `<<`, to be edited in place, but {over_source} "
            "cannot be merged into it. Edit it by hand."
        )
    return text


def _reads_as(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return parse_document(text, "outcome").value == wanted
    except ParamsError:
        return False


def _map_edits(text: str, under: MappingNode, over: str, new: MappingNode, depth: int) -> Iterator[_Edit]:
    if under.flow_style:
        yield _Edit(under.start_mark.index, _end(text, under), _merged_inline(text, under, over, new), depth)
        return
    old = _entries(under)
    added = [(key, value) for key, value in new.value if key.value not in old and not _is_null(value)]
    removed = [key.value for key, value in new.value if key.value in old and _is_null(value)]
    indent = under.value[0][0].start_mark.column
    lines = "".join(_block(over, key, value, indent) for key, value in added)
    if len(removed) == len(old):  # the lines of a map without keys would be read as `~`
        start, end = under.start_mark.index, _line_end(text, _end(text, under))
        key_line = text[:start].rstrip().rpartition("\n")[2]
        if lines or not key_line.endswith(":") or "#" in key_line:
            yield _Edit(start, end, lines.lstrip() or "{}\n", depth)
        else:
            yield _Edit(len(text[:start].rstrip()), end, " {}\n", depth)
        return
    for key, value in new.value:
        if key.value not in old:
            continue
        below = old[key.value][1]
        if key.value in removed:
            yield _Edit(*_lines(text, *old[key.value]), "", depth)
        elif isinstance(value, MappingNode) and isinstance(below, MappingNode) and (below.value or _has_null(value)):
            yield from _map_edits(text, below, over, value, depth + 1)
        else:
            yield from _replacement(text, *old[key.value], over, key, value, depth)
    if added:
        end = _line_end(text, _end(text, under))
        yield _Edit(end, end, lines, depth)


def _merged_inline(text: str, under: MappingNode, over: str, new: MappingNode) -> str:
    """Return a `{…}` map with another laid over it, in one line."""
    old, changed = _entries(under), _entries(new)
    parts = []
    for name in dict.fromkeys([*old, *changed]):
        value, below = (entries[name][1] if name in entries else None for entries in (changed, old))
        if value is None:
            parts.append(text[old[name][0].start_mark.index : _end(text, old[name][1])])
        elif isinstance(value, MappingNode) and isinstance(below, MappingNode):
            parts.append(f"{name}: {_merged_inline(text, below, over, value)}")
        elif not _is_null(value):
            parts.append(f"{name}: {_within(over, value)}")
    return "{" + ", ".join(parts) + "}"


def _entries(node: MappingNode) -> dict[str, tuple[Node, Node]]:
    return {key.value: (key, value) for key, value in node.value}


def _replacement(text: str, key: Node, old: Node, over: str, new_key: Node, new: Node, depth: int) -> Iterator[_Edit]:
    start = text.index(":", key.end_mark.index) + 1
    end = max(start, _end(text, old))
    if not _is_block(new) or _has_null(new):
        yield _Edit(start, end, f" {_inline(over, new)}", depth)
        return
    yield _Edit(start, end, "", depth)  # a comment behind it stays with the key, and the lines come below
    below = _line_end(text, end)
    lines = over[_line_end(over, new_key.end_mark.index) : _lines(over, new_key, new)[1]]
    moved = _moved(lines.splitlines(), key.start_mark.column - new_key.start_mark.column)
    yield _Edit(below, below, moved, depth + 1)  # before what is added to this map, where that is the same place


def _block(over: str, key: Node, value: Node, indent: int) -> str:
    """Return an entry's own lines, and the comments right above it, moved to an indent."""
    if over[: key.start_mark.index].rpartition("\n")[2].strip() or _has_null(value):
        return f"{' ' * indent}{key.value}: {_inline(over, value)}\n"  # out of a `{…}`, or with something to leave out
    start, end = _lines(over, key, value)
    lines = [*_comments_above(over, start), *over[start:end].splitlines()]
    return _moved(lines, indent - key.start_mark.column)


def _moved(lines: Iterable[str], shift: int) -> str:
    """Return lines moved to the right by a number of columns, or to the left; empty ones are left out."""
    moved = [line[-shift:] if shift < 0 else " " * shift + line for line in lines if line.strip()]
    return "".join(f"{line}\n" for line in moved)


def _comments_above(text: str, start: int) -> list[str]:
    above: list[str] = []
    for line in reversed(text[:start].splitlines()):
        if not line.lstrip().startswith("#"):
            return above
        above.insert(0, line)
    return []  # the file's own heading, not this key's


def _inline(text: str, node: Node) -> str:
    """Return a value's own text, in one line; `~` over nothing is nothing."""
    if isinstance(node, CollectionNode) and (not node.flow_style or _has_null(node)):
        if isinstance(node, MappingNode):
            there = [(key, value) for key, value in node.value if not _is_null(value)]
            return "{" + ", ".join(f"{key.value}: {_within(text, value)}" for key, value in there) + "}"
        return "[" + ", ".join(_within(text, item) for item in node.value) + "]"
    return text[node.start_mark.index : _end(text, node)]


def _within(text: str, node: Node) -> str:
    """Return a value's own text for a place within brackets, where a plain scalar may hold none: `${VAR}/file` say."""
    if isinstance(node, ScalarNode) and node.style is None and set("{}[],") & set(node.value):
        return json.dumps(node.value, ensure_ascii=False)
    return _inline(text, node)


def _lines(text: str, key: Node, value: Node) -> tuple[int, int]:
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    return start, _line_end(text, max(_end(text, value), key.end_mark.index))


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _end(text: str, node: Node) -> int:
    """Return where a value's text really ends: a block's own mark lies behind the comments that follow it."""
    if _is_block(node) and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    return len(text[: node.end_mark.index].rstrip()) if isinstance(node, ScalarNode) else int(node.end_mark.index)


def _is_block(node: Node) -> bool:
    return isinstance(node, CollectionNode) and not node.flow_style


def _has_null(node: Node) -> bool:
    return isinstance(node, MappingNode) and any(_is_null(value) or _has_null(value) for _, value in node.value)


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"
