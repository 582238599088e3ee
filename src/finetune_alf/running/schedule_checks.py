"""Schedules that schemes name, before anything is fitted: whether each can be read, and is for the encoder's depth."""

from collections.abc import Callable, Iterator
from typing import Any

from finetune_alf.errors import ScheduleError
from finetune_alf.params import Params
from finetune_alf.params.document import KeyPath
from finetune_alf.paths import Paths
from finetune_alf.running.adapter_checks import trained
from finetune_alf.schedules.pull import pull
from finetune_alf.schedules.reference import from_root, is_file, is_reference, is_registered

Named = tuple[KeyPath, str, bool]
"""Where a schedule is named, its reference, and whether it is stretched."""


def schedule_faults(params: Params, paths: Paths, n_layers: Callable[[str], int | None]) -> Iterator[str]:
    """Yield what is wrong with published schedules and files; a version in a registry is looked at by its stage.

    `n_layers` has the depth of a named encoder; None where it is not known. A file in results/ may be made later.
    """
    named = [(encoder, each) for path, encoder, value in trained(params) for each in _named(value, path)]
    for encoder, (place, reference, stretches) in (*named, *_of_classifiers(params)):
        if is_registered(reference) or not is_reference(reference) or _comes_later(paths, reference):
            continue
        if fault := _fault(paths, reference, n_layers(encoder), stretches):
            yield f"{'.'.join(map(str, place))}: {fault}"


def _of_classifiers(params: Params) -> Iterator[tuple[str, Named]]:
    """Yield the encoders and the schedules of the section `fit`; one of the transfer has its settings there."""
    written = params.model_dump(mode="json", by_alias=True)
    listed = {each.get("name") or each.get("of") for each in (written.get("transfer") or {}).get("schemes", ())}
    for study, entry in (written.get("fit") or {}).items():
        if study in params.studies and entry["scheme"] not in listed:
            yield params.studies[study].encoder, (("fit", study, "scheme"), entry["scheme"], False)


def _comes_later(paths: Paths, reference: str) -> bool:
    file = paths.root / reference
    return is_file(reference) and not file.exists() and paths.results in file.parents


def _fault(paths: Paths, reference: str, n_layers: int | None, stretches: bool) -> str | None:
    try:
        schedule = pull(from_root(paths.root, reference), allow_forgetting=True)
        if n_layers is not None and stretches:
            schedule.stretch(n_layers)
    except ScheduleError as error:
        return str(error)
    own = schedule.rates.n_layers
    if n_layers in (None, own) or stretches:
        return None
    return (
        f"must be a schedule for the {n_layers} layers of the encoder, but {reference} has {own}. "
        "Take another one, or stretch it, by `stretch: true` of its scheme or testbed."
    )


def _named(value: Any, path: KeyPath) -> Iterator[Named]:
    """Yield the schedules in an entry: maps of kind `schedule`, and the names of a testbed."""
    if isinstance(value, dict) and value.get("kind") == "schedule":
        yield path, value["of"], bool(value.get("stretch"))
    elif isinstance(value, dict):
        if {"stretch", "schemes"} <= set(value):
            yield from _of_testbed(value, path)
        for key, each in value.items():
            yield from _named(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _named(each, (*path, index))


def _of_testbed(entry: dict[str, Any], path: KeyPath) -> Iterator[Named]:
    cells = entry.get("cells")
    listed: list[tuple[KeyPath, Any]] = [
        ((*path, "schemes", index), each) for index, each in enumerate(entry["schemes"])
    ]
    if isinstance(cells, list):
        listed = [((*path, "cells", index, "scheme"), each["scheme"]) for index, each in enumerate(cells)]
    for place, scheme in listed:
        yield from ((place, part, bool(entry["stretch"])) for part in str(scheme).split("+"))
