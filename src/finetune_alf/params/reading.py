"""Reading YAML as DVC does (ruamel, YAML 1.2), with the place of every key and nothing coerced.

The text is only composed into nodes: no object is ever constructed from a tag.
"""

import math
import re
from pathlib import Path
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from finetune_alf.errors import InputError, ParamsError
from finetune_alf.os_errors import check_regular
from finetune_alf.params.document import Document, Fault, KeyPath, Place
from finetune_alf.paths import command_in
from finetune_alf.yaml_depth import MAX_DEPTH, bounded_yaml

MAX_BYTES = 1 << 20
MAX_NODES = 50_000  # with every alias written out

_TAG = "tag:yaml.org,2002:"


def read_document(path: Path) -> Document:
    """Read a params file; ParamsError when it is no YAML map at all. Lesser faults come with the document."""
    return parse_document(read_source(path), str(path))


def read_source(path: Path) -> str:
    """Return a params file's text, without its byte order mark and with plain line ends."""
    check_regular(path, ParamsError)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ParamsError(f"{path}: must be a readable file, but got: {error.strerror}. {_way_out(path)}") from None
    if len(data) > MAX_BYTES:
        raise ParamsError(f"{path}: must be at most 1 MiB, but is larger. Parameters are a few kilobytes.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ParamsError(f"{path}: must be UTF-8, but got UTF-16. Save it again as UTF-8.")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: must be UTF-8, but byte {error.start} is not. Save it again as UTF-8.") from None


def _way_out(path: Path) -> str:
    if path.exists():
        return "Check its permissions, and that it is a file."
    init, default = command_in(path.parent, "init", "TABLE"), command_in(path.parent, "params", "use", "default")
    return f"`{init}` writes one for a table of texts and labels, `{default}` the default one."


def parse_document(text: str, source: str) -> Document:
    """Turn YAML text into a document; ParamsError when it is no YAML map."""
    node = compose(text, source)
    reader = _Reader(source)
    value = reader.value(node, ())
    return Document(source, value, reader.places, tuple(reader.faults))


def compose(text: str, source: str) -> MappingNode:
    """Return the nodes of a YAML map; ParamsError names the place where it breaks off."""
    try:
        node = bounded_yaml().compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        fault = f"must be YAML, but {error.problem or error.context}."
        if mark is None:
            raise ParamsError(f"{source}: {fault}") from None
        found = Fault(Place(source, mark.line + 1, mark.column + 1), (), fault)
        raise ParamsError(str(found), [found.as_json()]) from None
    except InputError as error:
        raise ParamsError(f"{source}: {error}.") from None
    except (YAMLError, ValueError) as error:
        raise ParamsError(f"{source}: must be YAML, but got {' '.join(str(error).split())}.") from None
    if node is None:
        raise ParamsError(f"{source}: must hold parameters, but is empty.")
    if not isinstance(node, MappingNode):
        raise ParamsError(f"{source}: must be a map of sections such as `samples:`, but got {_kind(node)}.")
    return node


class _Reader:
    """Turns nodes into values, noting places and faults on the way."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.places: dict[KeyPath, Place] = {}
        self.faults: list[Fault] = []
        self._n_nodes = 0

    def value(self, node: Node, path: KeyPath) -> Any:
        self._bound(path)
        if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            return self._map(node, path)
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        self._fault(node, path, f"must be a plain value, but got the tag {node.tag}")
        return None

    def _item(self, node: Node, path: KeyPath) -> Any:
        self.places[path] = self._place(node)
        return self.value(node, path)

    def _map(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        entries, merged = self._entries(node, path)
        value = {}
        for key, (key_node, value_node) in {**merged, **entries}.items():
            self.places[(*path, key)] = self._place(key_node)
            value[key] = self.value(value_node, (*path, key))
        return value

    def _entries(self, node: MappingNode, path: KeyPath) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the map's own entries and those that `<<` brings in, as (key node, value node) by key."""
        self._bound(path)  # a `<<` can name its own map
        entries: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                for one in reversed(value_node.value if isinstance(value_node, SequenceNode) else [value_node]):
                    if isinstance(one, MappingNode):
                        own, below = self._entries(one, (*path, "<<"))
                        merged |= below | own
                    else:
                        self._fault(one, path, f"`<<` must name a map, but got {_kind(one)}")
            elif not isinstance(key_node, ScalarNode) or key_node.tag != f"{_TAG}str":
                self._fault(key_node, path, f"a key must be text, but got {_shown(key_node)}. Put it in quotes")
            elif key_node.value in entries:
                first = entries[key_node.value][0].start_mark.line + 1
                line = key_node.start_mark.line + 1
                self._fault(
                    key_node, (*path, key_node.value), f"must be there once, but is on lines {first} and {line}"
                )
            else:
                entries[key_node.value] = (key_node, value_node)
        return entries, merged

    def _scalar(self, node: ScalarNode, path: KeyPath) -> str | int | float | bool | None:
        text: str = node.value
        match str(node.tag).removeprefix(_TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool" if text.lower() in {"true", "false"}:
                return text.lower() == "true"
            case "int" if not re.match(r"[-+]?0[0-9_]", text):
                try:
                    return int(text.replace("_", ""), 0)
                except ValueError:
                    self._fault(node, path, f"must be a whole number, but got {_shown(node)}")
            case "int":
                self._fault(node, path, f"must be a number without leading zeros, but got {_shown(node)}")
            case "float":
                return self._float(node, path)
            case "timestamp":
                self._fault(node, path, f"must not be a date, but got {_shown(node)}. Put text in quotes")
            case _:
                self._fault(node, path, f"must be a plain value, but got {_shown(node)} with the tag {node.tag}")
        return None

    def _float(self, node: ScalarNode, path: KeyPath) -> float | None:
        try:
            number = float(node.value.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
        self._fault(node, path, f"must be a finite number, but got {_shown(node)}")
        return None

    def _bound(self, path: KeyPath) -> None:
        self._n_nodes += 1
        if self._n_nodes > MAX_NODES:
            raise ParamsError(
                f"{self.source}: must hold at most {MAX_NODES} values, but holds more with its aliases written out."
            )
        if len(path) > MAX_DEPTH:
            raise ParamsError(f"{self.source}: must be nested at most {MAX_DEPTH} deep, but is deeper.")

    def _fault(self, node: Node, path: KeyPath, message: str) -> None:
        self.faults.append(Fault(self._place(node), path, message))

    def _place(self, node: Node) -> Place:
        return Place(self.source, node.start_mark.line + 1, node.start_mark.column + 1)


def _kind(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return _shown(node)
    return "a map" if isinstance(node, MappingNode) else "a list"


def _shown(node: Node) -> str:
    return str(node.value)[:60] if isinstance(node, ScalarNode) else "a collection"
