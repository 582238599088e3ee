"""Schedules that schemes name, before anything is fitted: whether each can be read, and suits encoder and recipe."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from finetune_alf.errors import ScheduleError
from finetune_alf.params import Params
from finetune_alf.params.document import KeyPath
from finetune_alf.paths import Paths
from finetune_alf.running.adapter_checks import trained
from finetune_alf.schedules.pull import pull
from finetune_alf.schedules.reference import from_root, is_file, is_reference, is_registered


class Named(NamedTuple):
    """Where a schedule is named, its reference, and whether it is stretched."""

    place: KeyPath
    reference: str
    stretches: bool = False


def schedule_faults(params: Params, paths: Paths, n_layers: Callable[[str], int | None]) -> Iterator[str]:
    """Yield what is wrong with published schedules and files; a version in a registry is looked at by its stage.

    `n_layers` has the depth of a named encoder; None where it is not known. A file in results/ may be made later.
    """
    named = [
        (encoder, _may_forget(params, value), each)
        for path, encoder, value in trained(params)
        for each in _named(value, path)
    ]
    for encoder, may_forget, each in (*named, *_of_classifiers(params)):
        reference = each.reference
        if is_registered(reference) or not is_reference(reference) or _comes_later(paths, reference):
            continue
        if fault := _fault(paths, each, n_layers(encoder), may_forget):
            yield f"{'.'.join(map(str, each.place))}: {fault}"


def _may_forget(params: Params, entry: dict[str, Any]) -> bool:
    """Return whether the recipe of an entry, or those of all studies of a transfer, permit rates above the bound."""
    if "recipe" in entry:
        return bool(entry["recipe"]["allow_forgetting"])
    return all(params.studies[study].recipe.allow_forgetting for study in entry.get("studies", ()))


def _of_classifiers(params: Params) -> Iterator[tuple[str, bool, Named]]:
    """Yield the schedules of the section `fit`, as those of others; one of the transfer has its settings there."""
    written = params.model_dump(mode="json", by_alias=True)
    listed = {each.get("name") or each.get("of") for each in (written.get("transfer") or {}).get("schemes", ())}
    for name, entry in (written.get("fit") or {}).items():
        study, scheme = params.studies.get(name), entry["scheme"]
        if study and (is_file(scheme) or scheme not in listed):  # a transfer calls a file by its name alone
            yield study.encoder, study.recipe.allow_forgetting, Named(("fit", name, "scheme"), scheme)


def _comes_later(paths: Paths, reference: str) -> bool:
    file = paths.root / reference
    return is_file(reference) and not file.exists() and paths.results in file.parents


def _fault(paths: Paths, named: Named, n_layers: int | None, may_forget: bool) -> str | None:
    try:
        schedule = pull(from_root(paths.root, named.reference), allow_forgetting=may_forget)
        if n_layers is not None and named.stretches:
            schedule.stretch(n_layers)
    except ScheduleError as error:
        return str(error)
    own = schedule.rates.n_layers
    if n_layers in (None, own) or named.stretches:
        return None
    return (
        f"must be a schedule for the {n_layers} layers of the encoder, but {named.reference} has {own}. "
        "Take another one, or stretch it, by `stretch: true` of its scheme or testbed."
    )


def _named(value: Any, path: KeyPath) -> Iterator[Named]:
    """Yield the schedules in an entry: maps of kind `schedule`, and the names of a testbed."""
    if isinstance(value, dict) and value.get("kind") == "schedule":
        yield Named(path, value["of"], bool(value.get("stretch")))
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
        yield from (Named(place, part, bool(entry["stretch"])) for part in str(scheme).split("+"))
