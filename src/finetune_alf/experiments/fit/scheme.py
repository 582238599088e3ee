"""Which scheme a classifier is fitted by: one that is named, or the one that the evidence recommends."""

from dataclasses import dataclass

from pydantic import ValidationError

from finetune_alf.errors import InputError
from finetune_alf.experiments.fit.spec import RECOMMENDED, FitSpec
from finetune_alf.experiments.scheme_spec import NAMES, AnyScheme, is_from_lock, schemes_named
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.experiments.transfer.family import scheme_differences
from finetune_alf.experiments.transfer.section import SECTION as TRANSFER
from finetune_alf.params import Params
from finetune_alf.recipe import AnyRecipe
from finetune_alf.register.lock import read_lock
from finetune_alf.register.recommend import SchemeDifferences, recommend
from finetune_alf.running.context import Context

ON_COMMAND_LINE = "as the command line named it"


@dataclass(frozen=True)
class Chosen:
    """A scheme, and why it was chosen; empty where params.yaml names it."""

    scheme: AnyScheme
    why: str = ""


def chosen_scheme(ctx: Context, study: str, spec: FitSpec, named: str | None = None) -> Chosen:
    """Return the scheme that the command line names, or that of an entry.

    Raises InputError where it is to be recommended and the study is not registered.
    """
    if named is not None:
        return Chosen(scheme_named(ctx.params, named), ON_COMMAND_LINE)
    if spec.scheme != RECOMMENDED:
        return Chosen(scheme_named(ctx.params, spec.scheme))
    lock = ctx.paths.schedules(study)
    if not lock.exists():
        raise InputError(
            f"{study} is not registered yet, so that no scheme is recommended. "
            f"Run `{ctx.paths.command('register', study)}` first, or name a scheme: "
            f"`{ctx.paths.command('fit', 'baseline', '--study', study)}`."
        )
    found = recommend(read_lock(lock), _tested(ctx, study))
    return Chosen(scheme_named(ctx.params, found.scheme), found.why)


def scheme_named(params: Params, name: str) -> AnyScheme:
    """Return the scheme of this name in the transfer, with its settings there, or with its defaults.

    Raises InputError where a name is that of no scheme.
    """
    listed = (each for each in TRANSFER.of(params).schemes if each.label == name)
    if found := next(listed, None):
        return found
    try:
        return schemes_named(name)[0]
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"scheme: {reason}.") from None


def follows_from_registration(params: Params, name: str) -> bool:
    """Return whether the recipe of a scheme of this name, or of the recommended one, is known after a registration.

    Raises InputError as `scheme_named` does.
    """
    return name == RECOMMENDED or is_from_lock(scheme_named(params, name))


def is_scheme(params: Params, name: str) -> bool:
    """Return whether a name is that of a kind of scheme, or of a scheme of the transfer."""
    return name in NAMES or any(each.label == name for each in TRANSFER.of(params).schemes)


def check_can_be_fitted(ctx: Context, study: str, scheme: str, recipe: AnyRecipe | None) -> None:
    """Raise InputError, with the way out, for a scheme without a recipe."""
    if recipe is None:
        command = ctx.paths.command("fit", "baseline", "--study", study)
        raise InputError(
            f"{scheme} is not registered for {study}, and cannot be fitted. Take another scheme, baseline, uniform or "
            f"probe: `{command}`, or `fit.{study}.scheme` in params.yaml."
        )


def _tested(ctx: Context, study: str) -> dict[str, SchemeDifferences]:
    """Return the schemes of the transfer to the study's own sample; none where that did not run."""
    path = ctx.paths.document("transfer", study, ctx.study(study).sample)
    return scheme_differences(TransferDocument.read(path)) if path.exists() else {}
