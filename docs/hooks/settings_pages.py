"""The pages of the settings: every key of params.yaml with its type, its default and what it does.

They follow the JSON schema of params.yaml, which pydantic makes of the specs. What a key does is said by the docstring
below its field, or by the sentences of the spec's docstring that name it.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

from finetune_alf.experiments.registry import BUILT_IN, model_of
from finetune_alf.params.schema import params_schema
from finetune_alf.spec import Spec

Schema = dict[str, Any]

PAGES = {
    "settings": "Settings",
    "settings-encoders": "Settings: encoders",
    "settings-samples": "Settings: samples",
    "settings-studies": "Settings: studies",
    "settings-recipes": "Settings: recipes",
    "settings-experiments": "Settings: experiments",
}
"""The titles of the pages by their names."""

_PAGE_OF_PACKAGE = {
    "encoder": "settings-encoders",
    "data": "settings-samples",
    "study": "settings-studies",
    "recipe": "settings-recipes",
    "rates": "settings-recipes",
    "experiments": "settings-experiments",
}

EVERYWHERE = {
    "kind": "Which of the kinds this is.",
    "encoder": "The name of an entry of `encoders`.",
    "sample": "The name of an entry of `samples`.",
    "samples": "Names of entries of `samples`.",
    "recipe": "The recipe of the fits.",
    "name": "What the entry is called in tables; without one, its kind.",
    "head": "The rate of the head; without one, that of the layers.",
    "warmup_frac": "The fraction of the steps over which the rates rise from 0.",
    "n_seeds": "The seeds of each variant; fewer than five have no verdict.",
    "seed": "Other seeds draw other random numbers throughout.",
}
"""What keys do that many specs have, where nothing closer to them says it."""

_KINDS = {"MixtureSpec": "mixture"}
"""What specs without a kind are called, where they are one of several."""

_EXPERIMENTS = {experiment.key: experiment.help.short for experiment in BUILT_IN}

_INTRODUCTION = """Every key of `params.yaml`. `finetune-alf params check` reports what is wrong in a file, and
`finetune-alf params schema` prints the same as a JSON schema, for an editor. NAME stands for a name of your choice;
keys without a default must be given.
"""


@dataclass
class Table:
    """A spec and the places of params.yaml where it stands."""

    name: str
    schema: Schema
    places: list[str] = field(default_factory=list)

    @property
    def spec(self) -> type[Spec] | None:
        """The class, where it is one of the package."""
        return _specs().get(self.name)

    @property
    def page(self) -> str:
        """The page that has it."""
        package = self.spec.__module__.split(".")[1] if self.spec else ""
        return _PAGE_OF_PACKAGE.get(package, "settings")

    @property
    def anchor(self) -> str:
        """Its anchor on that page."""
        return self.name.lower().replace("finetune_alf__", "").replace("_", "-")

    @property
    def heading(self) -> str:
        """Its heading: the last part of its place, and its kind where it is one of several."""
        keys = [key for key in self.places[0].replace("[]", "").split(".") if key != "NAME"]
        return f"{keys[-1]}: {self.kind}" if self.kind else keys[-1]

    @property
    def kind(self) -> str | None:
        """Its kind, where it is one of several."""
        node = self.schema["properties"].get("kind", {})
        return _KINDS.get(self.name) or node.get("const") or ", ".join(node.get("enum", ())) or None


def settings_pages() -> dict[str, str]:
    """Return the pages, Markdown by their paths from docs/."""
    root = params_schema(model_of(BUILT_IN))
    tables = {table.name: table for table in _tables(root)}
    pages = {page: [f"# {title}\n", _INTRODUCTION] for page, title in PAGES.items()}
    pages["settings"].append(_fields(Table("Params", root, [""]), tables, "settings"))
    for table in tables.values():
        pages[table.page].append(_section(table, tables))
    return {f"reference/{page}.md": "\n".join(parts) for page, parts in pages.items()}


def _tables(root: Schema) -> Iterator[Table]:
    """Yield the specs in the order in which params.yaml reaches them, each once, with all of its places."""
    found: dict[str, Table] = {}
    _visit(root, "", root["$defs"], found)
    yield from found.values()


def _visit(node: Schema, place: str, definitions: Schema, found: dict[str, Table]) -> None:
    for name, at in _references(node, place):
        known = name in found
        if not definitions[name].get("properties"):
            continue
        table = found.setdefault(name, Table(name, definitions[name]))
        table.places.append(at)
        if not known:
            _visit(definitions[name], at, definitions, found)


def _references(node: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield each spec that a schema refers to, and where."""
    if isinstance(node, list):
        for each in node:
            yield from _references(each, place)
    if not isinstance(node, dict):
        return
    if "$ref" in node:
        yield node["$ref"].rsplit("/", 1)[1], place
    for key, value in node.get("properties", {}).items():
        yield from _references(value, f"{place}.{key}".strip("."))
    for key in ("additionalProperties", "patternProperties"):
        inner = node.get(key)
        values = list(inner.values()) if key == "patternProperties" and inner else [inner]
        yield from _references(values, f"{place}.NAME")
    yield from _references([node.get("items"), node.get("prefixItems")], f"{place}[]")
    yield from _references([*node.get("anyOf", ()), *node.get("oneOf", ())], place)


def _section(table: Table, tables: dict[str, Table]) -> str:
    places = ", ".join(f"`{place}`" for place in dict.fromkeys(table.places))
    text = inspect.cleandoc(table.schema.get("description", ""))
    return "\n".join(
        [f"## `{table.heading}` {{#{table.anchor}}}\n", f"{text}\n", f"Where: {places}.\n", _fields(table, tables)]
    )


def _fields(table: Table, tables: dict[str, Table], page: str | None = None) -> str:
    required = table.schema.get("required", ())
    lines = ['<div class="keys settings" markdown>\n', "| key | type | default | what it does |", "|---|---|---|---|"]
    for key, node in table.schema["properties"].items():
        default = "" if key in required else _default(node)
        cells = (f"`{key}`", _type(node, tables, page or table.page), default, description(table, key))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n</div>\n"


def _default(node: Schema) -> str:
    if "const" not in node and "default" not in node:
        return "empty"
    value = node.get("const", node.get("default"))
    if isinstance(value, dict) and "kind" not in value:
        return "its defaults"
    return "none" if value is None else f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):  # one of several kinds, with its defaults
        return str(value["kind"])
    return f"{value:g}" if isinstance(value, float) else str(value)


def _type(node: Schema, tables: dict[str, Table], page: str) -> str:
    """Return a type in words, with links to specs."""
    if "$ref" in node:
        table = tables.get(node["$ref"].rsplit("/", 1)[1])
        if table is None:
            return "any value"
        at = "" if table.page == page else f"{table.page}.md"
        return f"[{table.kind or table.heading}]({at}#{table.anchor})"
    options = node.get("anyOf") or node.get("oneOf")
    if options:
        parts = [_type(each, tables, page) for each in options if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    if "const" in node:
        return f"`{_yaml(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{_yaml(value)}`" for value in node["enum"])
    return _plain_type(node, tables, page)


def _plain_type(node: Schema, tables: dict[str, Table], page: str) -> str:
    kind = node.get("type")
    if kind == "array":
        items = node.get("items") or next(iter(node.get("prefixItems", ())), {})
        return f"list of {_type(items, tables, page)}"
    if kind == "object":
        values = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), {})
        return f"map of names to {_type(values, tables, page) if isinstance(values, dict) else 'values'}"
    words = {"string": "text", "integer": "integer", "number": "number", "boolean": "`true` or `false`"}
    return words.get(str(kind), "any value") + _bounds(node)


def _bounds(node: Schema) -> str:
    signs = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return "".join(f" {word} {node[key]:g}" for key, word in signs.items() if key in node)


def description(table: Table, key: str) -> str:
    """Return what a key does; empty where nothing says it."""
    documented = _docstrings_of_fields(table.spec) if table.spec else {}
    own = documented.get(key) or documented.get(f"{key}_")  # as `register_`, where Python has the plain word
    text = inspect.cleandoc(table.schema.get("description", ""))
    return own or " ".join(_sentences_on(key, text)) or EVERYWHERE.get(key) or _EXPERIMENTS.get(key, "")


def _sentences_on(key: str, text: str) -> list[str]:
    sentences = re.split(r"(?<=\.) (?=[A-Z`])", " ".join(text.split()))
    return [sentence for sentence in sentences if re.search(rf"`{re.escape(key)}[`:]", sentence)]


@cache
def _specs() -> dict[str, type[Spec]]:
    """Return the package's specs by the names that the schema has for them."""
    model_of(BUILT_IN)
    found: dict[str, type[Spec]] = {}
    waiting = list(Spec.__subclasses__())
    while waiting:
        spec = waiting.pop()
        waiting += spec.__subclasses__()
        found[spec.__name__] = spec
        found[f"{spec.__module__}.{spec.__qualname__}".replace(".", "__")] = spec
    return found


@cache
def _docstrings_of_fields(spec: type[Spec]) -> dict[str, str]:
    """Return the docstring below each field, of the spec and of those that it extends."""
    found: dict[str, str] = {}
    for each in reversed(spec.__mro__):
        if issubclass(each, Spec) and each is not Spec:
            found |= _own_docstrings(each)
    return found


def _own_docstrings(spec: type[Spec]) -> dict[str, str]:
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(spec))).body[0]
    except OSError:  # made at run time
        return {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    return {
        named.target.id: " ".join(inspect.cleandoc(text.value.value).split())
        for named, text in pairwise(statements)
        if isinstance(named, ast.AnnAssign)
        and isinstance(named.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
