"""The JSON schema of params.yaml, for editors, and the keys that it knows at a place."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from finetune_alf.params.document import KeyPath
from finetune_alf.params.model import Params

_Schema = dict[str, Any]


@cache
def params_schema(model: type[Params]) -> _Schema:
    """Return the JSON schema of params.yaml."""
    schema = model.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def known_keys(model: type[Params], path: KeyPath, value: object) -> list[str]:
    """Return the keys that may stand at a path of these parameters."""
    root = params_schema(model)
    node, value = _follow(root, path, value)
    return [key for option in _options(root, node, value) for key in option.get("properties", {})]


def keys_apart(model: type[Params], path: KeyPath, value: object, key: str) -> list[str]:
    """Return the keys at a path of these parameters that no alternative has beside this key, as `tasks` of a sample."""
    root = params_schema(model)
    node, found = _follow(root, path, value)
    having = [own for option in _options(root, node, found) if key in (own := option.get("properties", {}))]
    return [other for other in (found if isinstance(found, dict) else ()) if not any(other in own for own in having)]


def known_kinds(model: type[Params], path: KeyPath, value: object) -> list[str]:
    """Return the kinds to choose among at a path of these parameters."""
    node, _ = _follow(params_schema(model), path, value)
    return sorted(node.get("discriminator", {}).get("mapping", {}))


def _follow(root: _Schema, path: KeyPath, value: object) -> tuple[_Schema, object]:
    node = root
    for part in path:
        steps = (_step(option, part) for option in _options(root, node, value))
        node, value = next((step for step in steps if step), {}), _inner(value, part)
    return node, value


def _options(root: _Schema, node: _Schema, value: object) -> list[_Schema]:
    """Return the plain schemas that a node stands for, a union by the value's kind."""
    if "$ref" in node:
        return _options(root, root["$defs"][node["$ref"].rsplit("/", 1)[1]], value)
    if "discriminator" in node:
        kind = value.get("kind") if isinstance(value, dict) else None
        reference = node["discriminator"]["mapping"].get(kind)
        return _options(root, {"$ref": reference}, value) if reference else []
    unions: Sequence[_Schema] = node.get("anyOf") or node.get("oneOf", ())
    return [option for union in unions for option in _options(root, union, value)] if unions else [node]


def _step(schema: _Schema, part: str | int) -> _Schema:
    if isinstance(part, int):
        items: _Schema = schema.get("items") or {}
        return items
    step = schema.get("properties", {}).get(part) or schema.get("additionalProperties") or {}
    if not step:
        step = next(iter(schema.get("patternProperties", {}).values()), {})
    return step if isinstance(step, dict) else {}


def _inner(value: object, part: str | int) -> object:
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None
