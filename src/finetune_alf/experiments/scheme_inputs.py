"""Where the inputs of schemes come from: a study's lock file, the registry, and the files that schemes name."""

from collections.abc import Iterator, Sequence

from finetune_alf.experiments.scheme_spec import AnyScheme, RegisteredScheme, ScheduleScheme, is_from_lock
from finetune_alf.experiments.scheme_table import SchemeInputs, unregistered
from finetune_alf.recipe import Recipe
from finetune_alf.register.lock import pull_locked, read_lock
from finetune_alf.running.context import Context
from finetune_alf.schedules.names import model_name
from finetune_alf.schedules.pull import pull
from finetune_alf.schedules.reference import from_root, is_registered
from finetune_alf.schedules.registry import Registry
from finetune_alf.schedules.schedule import Schedule


def scheme_inputs(
    ctx: Context, study: str, schemes: Sequence[AnyScheme], baseline: Recipe, n_layers: int, uri: str
) -> SchemeInputs:
    """Return what these schemes need, pulled from the registry at `uri` in the versions of the study's lock file.

    Logs which schedules the study did not register. Raises InputError without a lock file where they need it, and
    ScheduleError for a schedule that is not there.
    """
    schedules = dict(_named(ctx, schemes, uri, baseline.allow_forgetting))
    if not any(map(is_from_lock, schemes)):
        return SchemeInputs(baseline, n_layers, schedules)
    lock = read_lock(ctx.paths.schedules(study))
    if any(isinstance(scheme, RegisteredScheme) for scheme in schemes):
        pulled = pull_locked(Registry(uri), lock, model_name(ctx.project, study))
        schedules |= {alias: each.schedule for alias, each in pulled.items()}
    for alias in unregistered(schemes, lock.schedules):
        ctx.console.log(
            f"{alias} is left out: {study} registered no schedule that shows what register.require demands."
        )
    return SchemeInputs(baseline, n_layers, schedules, lock.single_rate.rate if lock.single_rate else None)


def needs_registry(schemes: Sequence[AnyScheme]) -> bool:
    """Return whether any of these schemes is in the registry."""
    return any(
        isinstance(scheme, RegisteredScheme) or (isinstance(scheme, ScheduleScheme) and is_registered(scheme.of))
        for scheme in schemes
    )


def n_fitted(ctx: Context, study: str, schemes: Sequence[AnyScheme]) -> int:
    """Return how many of these schemes have a recipe; raises InputError without a lock file where they need it."""
    if not any(isinstance(scheme, RegisteredScheme) for scheme in schemes):
        return len(schemes)
    return len(schemes) - len(unregistered(schemes, read_lock(ctx.paths.schedules(study)).schedules))


def _named(
    ctx: Context, schemes: Sequence[AnyScheme], uri: str, allow_forgetting: bool
) -> Iterator[tuple[str, Schedule]]:
    """Yield the schedules that schemes name, by reference."""
    for scheme in schemes:
        if isinstance(scheme, ScheduleScheme):
            yield scheme.of, pull(from_root(ctx.paths.root, scheme.of), uri, allow_forgetting=allow_forgetting)
