"""Stage `prepare`: draw a sample from its source."""

from collections.abc import Sequence

from finetune_alf.data.check import check_samples
from finetune_alf.data.description import uneven_classes
from finetune_alf.data.prepare import prepare_mixture, prepare_sample
from finetune_alf.data.spec import MixtureSpec
from finetune_alf.running.context import Context
from finetune_alf.study.spec import StudySpec


def prepare_all(ctx: Context, names: Sequence[str]) -> None:
    """Draw samples, once those that are read in seconds have shown that they can all be drawn."""
    if len(names) > 1:
        check_samples({name: ctx.sample(name) for name in names}, ctx.paths.root)
    for name in names:
        prepare(ctx, name)


def prepare(ctx: Context, name: str) -> None:
    """Draw `samples.<name>`, a sample or a mixture, into data/samples/<name>/."""
    spec, folder, root = ctx.sample(name), ctx.paths.sample(name), ctx.paths.root
    with ctx.lock(f"prepare-{name}"):
        if isinstance(spec, MixtureSpec):
            mixed = prepare_mixture(name, spec, folder, root, ctx.console.log)
            sizes = ", ".join(f"{split} {sum(rows.values())}" for split, rows in mixed.counts.items())
            ctx.console.log(f"{name}, of {', '.join(mixed.tasks)}: {sizes}.")
        else:
            card = prepare_sample(name, spec, folder, root, log=ctx.console.log)
            studies = [study for study in ctx.params.studies.values() if study.sample == name]
            hint = uneven_classes(card)
            if hint and not (studies and all(map(_makes_up_for_uneven_classes, studies))):
                ctx.console.log(hint)


def _makes_up_for_uneven_classes(study: StudySpec) -> bool:
    """Return whether each class counts the same in the loss, and the score is not the share of all texts."""
    return study.recipe.linear_class_weights == "balanced" and study.metric != "accuracy"
