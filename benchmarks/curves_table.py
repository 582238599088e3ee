"""The Markdown page of training curves: every number is read from the document."""

from collections.abc import Iterator, Mapping
from typing import Any

from curves_records import ARMS, QUANTITIES, SEEDED
from curves_summary import LIMIT

Document = Mapping[str, Any]


def table(document: Document) -> str:
    """Return the whole page, or the number of finished fits."""
    if "summary" not in document:
        return f"{len(document['fits'])} of {document['n_fits']} fits are done. Run the same command again to resume.\n"
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
        f"{work['batch']}, {work['epochs']} epochs, at most {work['max_tokens']} tokens; AdamW, rates with linear decay"
        f": {rates}. {document['n_seeds']} seeds an arm. On {work['cpu']}; {versions}."
    )
    yield ""


def _verdicts(document: Document) -> Iterator[str]:
    yield "## Differences and the variation of seeds"
    yield ""
    yield (
        "| curves | compared with | within, of epochs x quantities | largest difference, relative to seeds "
        "| smallest p | smallest p after Holm |"
    )
    yield "|---|---|---|---|---|---|"
    for comparison in document["summary"]["comparisons"]:
        rows = comparison["rows"]
        yield _row(
            ARMS[comparison["of"]],
            ARMS[comparison["against"]],
            f"{comparison['n_within']} of {len(rows)}{'' if comparison['n_within'] == len(rows) else ', **beyond**'}",
            f"{max(_relative_to_seeds(row) for row in rows):.2f}",
            _p(min(row["p"] for row in rows)),
            _p(min(row["p_holm"] for row in rows)),
        )
    yield ""


def _relative_to_seeds(row: Document) -> float:
    """Return a difference relative to the 95th percentile between two seeds; 0 where both are 0."""
    difference = abs(row["difference"])
    return float(difference / row["seeds_95"]) if row["seeds_95"] else (float("inf") if difference else 0.0)


def _same_batches(document: Document) -> Iterator[str]:
    yield "## On the same batches"
    yield ""
    yield (
        f"| difference from Trainer, fp32, without dropout, on the same batches | {' | '.join(QUANTITIES.values())} "
        f"| losses agree to {LIMIT:g} |"
    )
    yield "|---|---|---|---|---|"
    for comparison in document["summary"]["same_batches"]:
        difference = [f"{comparison['difference'][name]:.1e}" for name in QUANTITIES]
        yield _row(ARMS[comparison["of"]], *difference, "yes" if comparison["within"] else "**no**")
    yield ""


def _paired(document: Document) -> Iterator[str]:
    yield "## bf16 and fp32 with the same seeds"
    yield ""
    n_pairs = sum(fit["arm"] == "paired-bf16" for fit in document["fits"])
    yield f"| {n_pairs} pairs, bf16 minus fp32 | epoch | mean, 95 % interval | p | p after Holm |"
    yield "|---|---|---|---|---|"
    for row in document["summary"]["paired"]:
        yield _row(QUANTITIES[row["quantity"]], row["epoch"], _interval(row), _p(row["p"]), _p(row["p_holm"]))
    yield ""


def _means(document: Document) -> Iterator[str]:
    """Yield each arm's mean of every quantity at every epoch."""
    epochs = range(1, document["work"]["epochs"] + 1)
    yield "## Means over the seeds"
    yield ""
    yield f"| arm | {' | '.join(f'{name}, epoch {epoch}' for name in QUANTITIES.values() for epoch in epochs)} |"
    yield "|---" * (1 + len(QUANTITIES) * len(epochs)) + "|"
    for arm in SEEDED:
        fits = [fit for fit in document["fits"] if fit["arm"] == arm]
        means = [sum(fit[name][epoch - 1] for fit in fits) / len(fits) for name in QUANTITIES for epoch in epochs]
        yield _row(ARMS[arm], *(f"{mean:.4f}" for mean in means))
    yield ""


def _details(document: Document) -> Iterator[str]:
    for comparison in document["summary"]["comparisons"]:
        yield f"## {ARMS[comparison['of']]}, compared with {ARMS[comparison['against']]}"
        yield ""
        yield (
            "| quantity | epoch | mean | other mean | difference, 95 % interval | two seeds of Trainer: median "
            "| two seeds of Trainer: 95th percentile | p | p after Holm | within |"
        )
        yield "|---|---|---|---|---|---|---|---|---|---|"
        for row in comparison["rows"]:
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
