"""What a stage is about to do, as a line that is printed before torch and encoder are loaded."""

from finetune_alf.data.sample import load_card
from finetune_alf.data.spec import MixtureSpec
from finetune_alf.report.numbers import counted
from finetune_alf.running.context import Context


def opening_line(ctx: Context, stage: str, *names: str) -> str | None:
    """Return the line of a stage that takes long; None for others. Raises DataError where its sample is not there."""
    if stage == "report":
        return "report: draws tables and figures"
    if stage != "study":
        return None
    (name,) = names
    spec = ctx.study(name)
    trials, epochs = counted(spec.n_trials, "trial"), counted(spec.recipe.epochs, "epoch")
    return f"study {name}: {trials} on {train_texts(ctx, spec.sample)}, {epochs} each"


def train_texts(ctx: Context, sample: str) -> str:
    """Return in words what is trained on: the training texts of a sample, or those of several tasks."""
    if isinstance(ctx.sample(sample), MixtureSpec):
        return f"the texts of {sample}"
    n_texts = sum(load_card(ctx.paths.sample(sample)).counts["train"].values())
    return f"{n_texts:,} texts of {sample}"
