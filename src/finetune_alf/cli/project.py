"""What commands share: the folder they work in, its parameters, its MLflow store."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from finetune_alf.cli.error_record import about
from finetune_alf.cli.output import console, echo, echo_at_once

if TYPE_CHECKING:
    from finetune_alf.params import Params
    from finetune_alf.running.context import Context

T = TypeVar("T")

root_option: Callable[[Any], Any] = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="the current folder",
    help="The folder with params.yaml, data and results.",
)

overlays_option: Callable[[Any], Any] = click.option(
    "--params",
    "overlays",
    multiple=True,
    metavar="FILE|PRESET",
    help="Parameters to lay over the folder's params.yaml, or over each other where it has none. Repeatable. The path "
    "of a file starts in the current folder.",
)


def params_path(root: Path) -> Path:
    """Return a folder's params.yaml."""
    from finetune_alf.paths import Paths

    return Paths(root).params


def kept_params_path(root: Path) -> Path:
    """Return the file in which `run` keeps the parameters that it ran with."""
    from finetune_alf.paths import Paths

    return Paths(root).kept_params


def params_in_force(root: Path, overlays: Sequence[str] = ()) -> Path:
    """Return the params file of a folder: its own, or else what its last run kept; under overlays its own alone."""
    from finetune_alf.paths import Paths

    return Paths(root).params if overlays else Paths(root).params_in_force


def read_params(root: Path, overlays: Sequence[str] = (), *, for_dvc: bool = False) -> "Params":
    """Read a folder's parameters with overlays; ParamsError with every fault, by the configs of encoders as well.

    `for_dvc` asks for the keys that dvc.yaml names, which DVC knows no defaults of.
    """
    from finetune_alf.experiments.registry import model_of
    from finetune_alf.params.dvc_keys import missing_for_dvc
    from finetune_alf.params.load import check_against, read_merged, validate
    from finetune_alf.running.input_checks import recipe_disagreements

    check_overlays(overlays)
    document = read_merged(params_in_force(root, overlays), overlays)
    params = validate(document, model_of())
    found = list(recipe_disagreements(params, root))
    if for_dvc and not overlays:
        found += missing_for_dvc(root, document.value, params)
    check_against(document, found)
    return params


def check_overlays(overlays: Sequence[str]) -> None:
    """Raise ParamsError, which names the option, for an overlay that is neither a preset nor a file."""
    from finetune_alf.params.presets import find_source

    with about("--params"):
        for name in overlays:
            find_source(name)


def open_context(root: Path, overlays: Sequence[str] = ()) -> "Context":
    """Return the context of stages in this folder."""
    from finetune_alf.compute.wait_policy import wait_passively_where_busy
    from finetune_alf.running.dvc_process import end_with_dvc, is_dvc_stage

    end_with_dvc()
    wait_passively_where_busy()  # before torch is loaded
    echo_at_once(f"reading {' + '.join([str(params_in_force(root, overlays)), *overlays])}")
    params = read_params(root, overlays, for_dvc=is_dvc_stage())  # before anything heavy is loaded
    from finetune_alf.paths import Paths
    from finetune_alf.running.context import Context

    context = Context(params, Paths(root), console())
    if is_dvc_stage():
        from finetune_alf.experiments.registry import registry
        from finetune_alf.experiments.set_aside import set_aside

        set_aside(context, registry())
    return context


def store_uri(root: Path, uri: str | None = None) -> str:
    """Return the MLflow store named here, in params.yaml or the environment, or else the folder's own."""
    from finetune_alf.tracking.store import named_store, tracking_uri

    if uri is not None:
        with about("--uri"):
            return tracking_uri(root, named_store(uri))
    if _has_store(params_in_force(root)):
        from finetune_alf.experiments.registry import load_params

        uri = load_params(params_in_force(root)).tracking.uri
    return tracking_uri(root, named_store(uri))


def _has_store(path: Path) -> bool:
    """Return whether a params file says anything about the store: to check all of the file takes a second."""
    from finetune_alf.params.reading import read_document

    return path.exists() and bool(read_document(path).value.get("tracking"))


def named_entries(key: str, given: str | None, there: Mapping[str, object]) -> list[str]:
    """Return the name that was given of a section of params.yaml, or all of its names; InputError for another one."""
    from finetune_alf.params.section import entry

    if given is not None:
        with about("name"):
            entry(key, there, given)
    return entries(given, there)


def entries(given: T | None, there: Iterable[T]) -> list[T]:
    """Return what was given, or everything there is; print a note where there is nothing."""
    found = list(there) if given is None else [given]
    if not found:
        echo(f"{click.get_current_context().info_name}: nothing to do, params.yaml names none.")
    return found
