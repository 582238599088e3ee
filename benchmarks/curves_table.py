"""The Markdown of a document of curves: every number in it is read from there."""

from collections.abc import Iterator, Mapping
from typing import Any

from curves_records import ARMS, QUANTITIES, SEEDED
from curves_summary import LIMIT

Document = Mapping[str, Any]


def table(document: Document) -> str:
    """Return the whole page, or what is still to be done."""
    if "summary" not in document:
        return f"{len(document['fits'])} of {document['n_fits']} fits are done. The same command goes on.\n"
    parts = (_head, _verdicts, _same_batches, _paired, _means, _details)
    return "\n".join(line for part in parts for line in part(document)) + "\n"


def _head(document: Document) -> Iterator[str]:
    work = document["work"]
    versions = ", ".join(f"{name} {version}" for name, version in work["versions"].items())
    rates = ", ".join(f"{address} {rate:g}" for address, rate in work["rates"].items())
    yield f"# Training curves, {work['title']}"
    yield ""
    yield (
        f"{work['encoder']}; {work['n_train']} training texts, {work['n_validation']} for validation, batch "
        f"{work['batch']}, {work['epochs']} epochs, at most {work['max_tokens']} tokens; AdamW, rates falling in a "
        f"straight line: {rates}. {document['n_seeds']} seeds an arm. On {work['cpu']}; {versions}."
    )
    yield ""


def _verdicts(document: Document) -> Iterator[str]:
    yield "## Within what seeds do"
    yield ""
    yield (
        "| curves of | against | within, of epochs x quantities | furthest apart, in the 95 % of two seeds of Trainer "
        "| least p | least p after Holm |"
    )
    yield "|---|---|---|---|---|---|"
    for told in document["summary"]["comparisons"]:
        rows = told["rows"]
        yield _row(
            ARMS[told["of"]],
            ARMS[told["against"]],
            f"{told['n_within']} of {len(rows)}{'' if told['n_within'] == len(rows) else ', **beyond**'}",
            f"{max(_in_seeds(row) for row in rows):.2f}",
            _p(min(row["p"] for row in rows)),
            _p(min(row["p_holm"] for row in rows)),
        )
    yield ""


def _in_seeds(row: Document) -> float:
    """Return a difference as a share of the 95th percentile of two seeds'; 0 where neither moves."""
    apart = abs(row["difference"])
    return float(apart / row["seeds_95"]) if row["seeds_95"] else (float("inf") if apart else 0.0)


def _same_batches(document: Document) -> Iterator[str]:
    yield "## On the same batches"
    yield ""
    yield (
        f"| without dropout, the same head and batches, off Trainer, fp32 | {' | '.join(QUANTITIES.values())} "
        f"| losses agree to {LIMIT:g} |"
    )
    yield "|---|---|---|---|---|"
    for told in document["summary"]["same_batches"]:
        apart = [f"{told['apart'][name]:.1e}" for name in QUANTITIES]
        yield _row(ARMS[told["of"]], *apart, "yes" if told["within"] else "**no**")
    yield ""


def _paired(document: Document) -> Iterator[str]:
    yield "## bf16 off fp32, seed by seed"
    yield ""
    n_pairs = sum(fit["arm"] == "paired-bf16" for fit in document["fits"])
    yield f"| {n_pairs} pairs, bf16 less fp32 | epoch | mean, 95 % interval | p | p after Holm |"
    yield "|---|---|---|---|---|"
    for row in document["summary"]["paired"]:
        yield _row(QUANTITIES[row["quantity"]], row["epoch"], _interval(row), _p(row["p"]), _p(row["p_holm"]))
    yield ""


def _means(document: Document) -> Iterator[str]:
    """Give each arm's mean of every quantity at every epoch."""
    epochs = range(1, document["work"]["epochs"] + 1)
    yield "## Means over the seeds"
    yield ""
    yield f"| arm | {' | '.join(f'{told}, epoch {epoch}' for told in QUANTITIES.values() for epoch in epochs)} |"
    yield "|---" * (1 + len(QUANTITIES) * len(epochs)) + "|"
    for arm in SEEDED:
        fits = [fit for fit in document["fits"] if fit["arm"] == arm]
        means = [sum(fit[name][epoch - 1] for fit in fits) / len(fits) for name in QUANTITIES for epoch in epochs]
        yield _row(ARMS[arm], *(f"{mean:.4f}" for mean in means))
    yield ""


def _details(document: Document) -> Iterator[str]:
    for told in document["summary"]["comparisons"]:
        yield f"## {ARMS[told['of']]}, against {ARMS[told['against']]}"
        yield ""
        yield (
            "| quantity | epoch | mean | against | difference, 95 % interval | two seeds of Trainer: median "
            "| two seeds of Trainer: 95 % | p | p after Holm | within |"
        )
        yield "|---|---|---|---|---|---|---|---|---|---|"
        for row in told["rows"]:
            yield _row(
                QUANTITIES[row["quantity"]],
                row["epoch"],
                f"{row['mean']:.4f}",
                f"{row['reference']:.4f}",
                _interval(row),
                f"{row['seeds_median']:.4f}",
                f"{row['seeds_95']:.4f}",
                _p(row["p"]),
                _p(row["p_holm"]),
                "yes" if row["within"] else "**no**",
            )
        yield ""


def _interval(row: Document) -> str:
    return f"{row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
