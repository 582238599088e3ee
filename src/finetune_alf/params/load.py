"""From files to Params: read, overlay, validate, and report all faults at once."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from finetune_alf.errors import ParamsError
from finetune_alf.nearest import did_you_mean
from finetune_alf.params.document import Document, Fault, KeyPath, overlay
from finetune_alf.params.model import Params, disagreements
from finetune_alf.params.presets import find_source, preset_names
from finetune_alf.params.reading import parse_document, read_document
from finetune_alf.params.schema import keys_apart, known_keys, known_kinds


def load_params(path: Path | str, overlays: Sequence[str] = (), *, model: type[Params]) -> Params:
    """Read a params file with overlays, files or presets' names, laid over it in order; `model` knows its sections.

    Raises ParamsError with every fault, each with its file, line, column and YAML path.
    """
    return validate(read_merged(Path(path), overlays), model)


def read_merged(path: Path, overlays: Sequence[str] = ()) -> Document:
    """Read a params file with overlays, not validated.

    Where there is no such file, an overlay that is a file takes its place, and a preset goes over the default.
    """
    names = list(overlays)
    if path.exists() or not names:
        document = read_document(path)
    else:
        document = read_overlay("default" if names[0] in preset_names() else names.pop(0))
    for name in names:
        document = overlay(document, read_overlay(name))
    return document


def read_overlay(name: str) -> Document:
    """Read a preset by its name, or a file; ParamsError suggests the nearest preset."""
    source = find_source(name)
    return parse_document(source.text, source.shown)


def validate(document: Document, model: type[Params]) -> Params:
    """Turn a document into Params; ParamsError with every fault."""
    faults = list(document.faults)
    unread = {fault.path for fault in faults}
    found: dict[KeyPath, str] = {}
    params = None
    try:
        params = model.model_validate_json(json.dumps(document.value))
    except ValidationError as error:
        found = _joined(list(_messages(error, document.value, model)))
        for path, message in disagreements(document.value, model.sections):
            if message not in found.get(path, ""):
                found[path] = f"{found[path]}; {message}" if path in found else message
    faults += [
        Fault(document.place((*path, *_field_of(message))), path, message)
        for path, message in found.items()
        if not any(path[: len(bad)] == bad for bad in unread if bad)
    ]
    if params is None or faults:
        raise _error_of(faults)
    return params


def check_against(document: Document, found: Iterable[tuple[KeyPath, str]]) -> None:
    """Raise ParamsError with what was found wrong with the values of a document, each with its place."""
    if faults := [Fault(document.place(path), path, message) for path, message in found]:
        raise _error_of(faults)


def _error_of(faults: Iterable[Fault]) -> ParamsError:
    found = {str(fault): fault.as_json() for fault in sorted(faults, key=_position)}
    return ParamsError("\n".join(found), tuple(found.values()))


def _position(fault: Fault) -> tuple[str, int, int]:
    return fault.place.source, fault.place.line, fault.place.column


def _joined(found: list[tuple[KeyPath, str]]) -> dict[KeyPath, str]:
    """Join the messages of a union's alternatives about the same value into one."""
    joined: dict[KeyPath, str] = {}
    for path, message in found:
        if path not in joined:
            joined[path] = message
        elif message not in joined[path]:
            before, _, given = joined[path].partition(", but got ")
            joined[path] = f"{before} or {message.removeprefix('must ')}" if given else f"{before}; {message}"
    meant = {path[:length] for path in joined for length in range(len(path))}  # the alternative that has the key below
    return {path: text for path, text in joined.items() if path not in meant or not text.startswith("must be a valid ")}


def _messages(error: ValidationError, value: dict[str, Any], model: type[Params]) -> Iterator[tuple[KeyPath, str]]:
    for one in error.errors(include_url=False):
        if one["type"] == "disagreement":  # `disagreements` gives them with their places
            continue
        path = _yaml_path(one["loc"], value, is_missing=one["type"] == "missing")
        context = one.get("ctx", {})
        match one["type"]:
            case "extra_forbidden":
                yield path, _unknown_key(path, value, model)
            case "missing":
                yield path, "must be given, but is missing"
            case "union_tag_invalid":
                kinds = context["expected_tags"].replace("'", "")
                near = did_you_mean(context["tag"], kinds.split(", "))
                yield (*path, "kind"), f"must be one of {kinds}, but got {context['tag']}{near}"
            case "union_tag_not_found":
                yield (
                    path,
                    f"must name its kind, one of {', '.join(known_kinds(model, path, value))}, "
                    f"but got {_shown(one['input'])}",
                )
            case "value_error":
                field, message = _named_field(str(context["error"]))
                yield (*path, *field), message
            case "string_pattern_mismatch" if one["loc"][-1] == "[key]":
                yield (
                    path,
                    "must be a name of 1 to 64 lower-case letters, digits, - and _ that starts with a letter or digit",
                )
            case _:
                yield path, f"{_must(one['msg'])}, but got {_shown(one['input'])}"


def _must(message: str) -> str:
    must = re.sub(r"^(Input|String|Value|List|Tuple|Dictionary) should", "must", message)
    return re.sub(r" after validation, not \d+$", "", must)


def _named_field(message: str) -> tuple[KeyPath, str]:
    """Return the field that a message about a whole entry is for, such as `source.label: must be`, and the rest."""
    field, colon, rest = message.partition(": ")
    is_field = colon and re.fullmatch(r"[a-z_]+(\.[a-z0-9_-]+)*", field) and rest.startswith("must ")
    return (tuple(field.split(".")), rest) if is_field else ((), message)


def _field_of(message: str) -> KeyPath:
    """Return the field that the message about a whole entry begins with, such as `rates must be`; it has its place."""
    field = re.match(r"([a-z_.]+) must ", message)
    return tuple(field[1].split(".")) if field else ()


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _yaml_path(loc: tuple[str | int, ...], value: object, *, is_missing: bool) -> KeyPath:
    """Return a location without the tags of unions, which pydantic adds; a key that is missing ends it."""
    path: list[str | int] = []
    at_tag = False
    for index, part in enumerate(loc):
        # A union's tag comes right after the way to its map, and may be the name of a key there as well.
        at_tag = not at_tag and isinstance(value, dict) and part == value.get("kind")
        if at_tag:
            continue
        if _holds(value, part):
            value = value[part]  # type: ignore[index]
        elif not is_missing or index < len(loc) - 1:
            continue
        path.append(part)
    return tuple(path)


def _holds(value: object, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _unknown_key(path: KeyPath, value: dict[str, Any], model: type[Params]) -> str:
    key, known = str(path[-1]), known_keys(model, path[:-1], value)
    if len(path) > 1 and key in known_keys(model, ("compute",), value):
        return f"unknown key; it says how fits are run: put it into the section `compute`, as compute.{key}"
    if key in known and (others := keys_apart(model, path[:-1], value, key)):
        return f"must be absent beside {', '.join(others)}"
    near = did_you_mean(key, known)
    return f"unknown key{near}" if near else f"unknown key; the known ones are {', '.join(known)}"
