"""Stage `prepare`: draw a sample."""

from finetune_alf.data.prepare import prepare_sample
from finetune_alf.stages.context import Context


def prepare(ctx: Context, name: str) -> None:
    """Draw `samples.<name>` into data/samples/<name>/."""
    spec = ctx.sample(name)
    with ctx.lock(f"prepare-{name}"):
        card = prepare_sample(name, spec, ctx.paths.sample(name), ctx.paths.root)
    sizes = ", ".join(f"{split} {sum(counts.values())}" for split, counts in card.counts.items())
    dropped = sum(card.duplicates_dropped.values())
    ctx.teller.say(f"{name}: {sizes}; {dropped} of {card.n_source_rows} rows dropped as repeated texts.")
