"""What a fit of a classifier is about to do, as a line that is printed before torch and encoder are loaded."""

from finetune_alf.experiments.fit.scheme import chosen_scheme
from finetune_alf.experiments.fit.section import SECTION
from finetune_alf.experiments.fit.spec import FitSpec
from finetune_alf.experiments.scheme_spec import ContrastiveScheme, ProbeScheme, ScheduleScheme, TfidfScheme
from finetune_alf.report.numbers import counted
from finetune_alf.running.context import Context
from finetune_alf.running.opening import train_texts


def opening_line(ctx: Context, study: str, named: str | None = None) -> str:
    """Return the line: the scheme, its texts, and its epochs where the study or the scheme says how many.

    Raises InputError where no scheme is known, and DataError where the sample is not there.
    """
    spec = ctx.study(study)
    scheme = chosen_scheme(ctx, study, SECTION.of(ctx.params).get(study, FitSpec()), named).scheme
    epochs: int | None = spec.recipe.epochs
    if isinstance(scheme, ProbeScheme | TfidfScheme | ScheduleScheme):  # linear, or as the schedule's recipe says
        epochs = None
    elif isinstance(scheme, ContrastiveScheme):
        epochs = scheme.epochs
    length = "" if epochs is None else f", {counted(epochs, 'epoch')}"
    return f"fit {study}: {scheme.label} on {train_texts(ctx, spec.sample)}{length}"


def checks_line(ctx: Context, study: str, named: str | None = None) -> str:
    """Return what is done before the fit: libraries are loaded, and a classifier that is saved is looked at."""
    loaded = f"fit {study}: loading PyTorch and the encoder"
    scheme = chosen_scheme(ctx, study, SECTION.of(ctx.params).get(study, FitSpec()), named).scheme
    folder = ctx.paths.model(study if named is None else f"{study}.{scheme.label}")
    return f"{loaded}, to see whether {folder} is up to date" if folder.is_dir() else loaded
