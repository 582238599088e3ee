"""Stage `prepare`: draw a sample from its source."""

from collections.abc import Mapping, Sequence

from finetune_alf.data.check import check_samples
from finetune_alf.data.prepare import prepare_mixture, prepare_sample
from finetune_alf.data.spec import MixtureSpec
from finetune_alf.running.context import Context


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
            mixed = prepare_mixture(name, spec, folder, root)
            ctx.console.log(f"{name}, of {', '.join(mixed.tasks)}: {_sizes(mixed.counts)}.")
            return
        card = prepare_sample(name, spec, folder, root)
    dropped = sum(card.duplicates_dropped.values())
    ctx.console.log(f"{name}: {_sizes(card.counts)}; {dropped} of {card.n_source_rows} rows dropped as repeated texts.")


def _sizes(counts: Mapping[str, Mapping[str, int]]) -> str:
    return ", ".join(f"{split} {sum(rows.values())}" for split, rows in counts.items())
