"""Stage `prepare`: draw a sample from its source."""

from collections.abc import Mapping

from finetune_alf.data.prepare import prepare_mixture, prepare_sample
from finetune_alf.data.spec import MixtureSpec
from finetune_alf.running.context import Context


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
