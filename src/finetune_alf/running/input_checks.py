"""What is known of the inputs before anything is drawn or fitted: no weights are read, nothing is downloaded."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from finetune_alf.compute.spec import check_installed
from finetune_alf.data.check import check_samples
from finetune_alf.encoder.config_sizes import ConfigSizes, sizes_of
from finetune_alf.errors import AlfError, EncoderError, InputError, RatesError, ScheduleError, StorageError, faults_of
from finetune_alf.params import Params
from finetune_alf.params.checks import Disagreement
from finetune_alf.params.document import KeyPath
from finetune_alf.paths import Paths
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.recipe import NOTHING_LEARNS
from finetune_alf.running.adapter_checks import adapter_disagreements
from finetune_alf.running.schedule_checks import schedule_faults
from finetune_alf.running.server_checks import check_study_server, check_tracking_server
from finetune_alf.study.space import AnySpace
from finetune_alf.tracking.store import named_store, sqlite_path, tracking_uri


def check_inputs(params: Params, paths: Paths) -> None:
    """Raise what is wrong with encoders, samples, stores and servers, all at once, as the class of the first fault.

    Files of up to 64 MiB are read, of larger ones the first rows. A server has a few seconds to respond.
    """
    faults: list[AlfError] = []
    for check in _CHECKS:
        try:
            check(params, paths)
        except AlfError as error:
            faults.append(error)
    if faults:
        raise _all_of({str(fault): fault for fault in faults})


def _all_of(faults: dict[str, AlfError]) -> AlfError:
    error = type(next(iter(faults.values())))("\n".join(faults))
    if isinstance(error, InputError):
        error.faults = tuple(faults_of(faults.values()))
    return error


def _check_executor(params: Params, paths: Paths) -> None:
    check_installed(params.compute)


def check_encoders(params: Params, paths: Paths) -> None:
    """Raise EncoderError for encoders whose files are not there or cannot be used, as far as their configs say."""
    faults = []
    for name in dict.fromkeys(encoder for _, encoder, _, _ in _recipes(params)):
        try:
            sizes_of(params.encoders[name], paths.root)
        except EncoderError as error:
            faults.append(f"encoders.{name}: {error}")
    if faults:
        raise EncoderError("\n".join(faults))


def check_schedules(params: Params, paths: Paths) -> None:
    """Raise ScheduleError for schedules of schemes that cannot be read, or are for another depth than the encoder's."""
    faults = schedule_faults(params, paths, lambda encoder: _known_sizes(params, encoder, paths.root).n_layers)
    if found := list(dict.fromkeys(faults)):
        raise ScheduleError("\n".join(found))


def check_stores(params: Params, paths: Paths) -> None:
    """Raise StorageError for folders of results, studies and MLflow's database that cannot be written."""
    database = sqlite_path(tracking_uri(paths.root, named_store(params.tracking.uri)))
    folders = [paths.studies, paths.results, paths.sample("").parent, *([database.parent] if database else [])]
    faults = [fault for folder in folders for fault in _unwritable(folder)]
    if database and database.exists() and not os.access(database, os.W_OK):
        faults.append(f"cannot write {database}: permission denied. Check the permissions of the file.")
    if faults:
        raise StorageError("\n".join(dict.fromkeys(faults)))


def recipe_disagreements(params: Params, root: Path) -> Iterator[Disagreement]:
    """Yield what recipes need and the config of their encoder denies: longer texts, rates for another depth, LoRA."""

    @cache
    def sizes(encoder: str) -> ConfigSizes:
        return _known_sizes(params, encoder, root)

    for path, encoder, recipe, space in _recipes(params):
        yield from _unfit(path, encoder, sizes(encoder), recipe, space)
    yield from adapter_disagreements(params, lambda encoder: sizes(encoder).model_type)


def _recipes(params: Params) -> Iterator[tuple[KeyPath, str, Recipe, AnySpace | None]]:
    """Yield the entry of each recipe, the encoder that it trains, and the space of its study."""
    for key in params.named_sections():
        for name, spec in getattr(params, key).items():
            encoder, recipe = getattr(spec, "encoder", None), getattr(spec, "recipe", None)
            if isinstance(encoder, str) and isinstance(recipe, Recipe):
                yield (key, name), encoder, recipe, getattr(spec, "space", None)


def _known_sizes(params: Params, encoder: str, root: Path) -> ConfigSizes:
    try:
        return sizes_of(params.encoders[encoder], root)
    except EncoderError:  # `check_encoders` and the stages that load it say so
        return ConfigSizes()


def _unfit(
    path: KeyPath, encoder: str, sizes: ConfigSizes, recipe: Recipe, space: AnySpace | None
) -> Iterator[Disagreement]:
    if sizes.n_positions is not None and recipe.max_tokens > sizes.n_positions:
        message = (
            f"must be at most {sizes.n_positions}, the positions of encoder {encoder}, but got {recipe.max_tokens}"
        )
        yield (*path, "recipe", "max_tokens"), message
    if sizes.n_layers is None:
        return
    try:
        if not recipe.learns(recipe.rates.at(sizes.n_layers)):
            message = NOTHING_LEARNS.removeprefix("rates ")
            yield (*path, "recipe", "rates"), f"{message} in the {sizes.n_layers} layers of encoder {encoder}"
    except RatesError as error:
        yield _at(error, *path, "recipe")
    try:
        if space is not None:
            space.param_addresses(sizes.n_layers)
    except RatesError as error:
        yield _at(error, *path)


def _at(error: RatesError, *path: str | int) -> Disagreement:
    """Return the message of an error `rates.layers: must ...` with its key."""
    field, _, message = str(error).partition(": ")
    return (*path, *field.split(".")), message.rstrip(".")


def _check_all_samples(params: Params, paths: Paths) -> None:
    check_samples(params.samples, paths.root)


_CHECKS = (
    _check_executor,
    check_encoders,
    _check_all_samples,
    check_schedules,
    check_stores,
    check_study_server,
    check_tracking_server,
)


def _unwritable(folder: Path) -> Iterator[str]:
    """Yield why a folder cannot be written, or made where it is not there yet."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        yield f"cannot write {folder}: {there} is no folder. Move that file away, or use another root."
    elif not os.access(there, os.W_OK | os.X_OK):
        yield f"cannot write {folder}: permission denied in {there}. Check the permissions of the folder."
