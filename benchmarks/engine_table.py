"""The Markdown page of a benchmark: every number is read from the document."""

from collections.abc import Iterator, Mapping
from typing import Any

from engine_records import PEERS
from engine_summary import STEP_TARGET

Document = Mapping[str, Any]

ALLOCATORS = {
    "kept": "The C library keeps freed memory, in the process of each peer.",
    "default": "The C library gives large freed blocks back to the system, as is its default.",
}


def table(document: Document) -> str:
    """Return the whole page."""
    return "\n".join([*_head(document), *_ratios(document), *_peers(document), *_ours(document)]) + "\n"


def _head(document: Document) -> Iterator[str]:
    machine = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield f"# Engine benchmark, {document['mode']}, {document['encoder']}"
    yield ""
    yield (
        f"{document['started']} on {machine['cpu']}, device {machine['device']}, {machine['n_threads']} threads "
        f"of {machine['n_cores']} cores; {versions}. Matrix products: {_giga(machine['fp32'])} GFLOP/s in fp32, "
        f"{_giga(machine['bf16'])} in bf16. {document['seconds'] / 60:.1f} minutes in all. "
        f"{ALLOCATORS[document.get('allocator', 'default')]}"
    )
    yield ""
    for name, reason in document["skipped"].items():
        yield f"* `{name}` skipped: {reason}"
    yield ""


def _ratios(document: Document) -> Iterator[str]:
    yield "## Speed-up at equal work"
    yield ""
    yield (
        "| work | texts: train + validation | epochs | trials x runs | class | over Trainer, defaults "
        "| over Trainer, tuned | over the plain loop |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, summary in document["summary"].items():
        work = document["works"][name]
        targets = work["targets"] or (None, None)
        n_runs = summary["peers"].get("ours", {}).get("n_runs", 0)
        cells = [_ratio(summary, peer, target) for peer, target in zip(("default", "tuned"), targets, strict=True)]
        yield _row(
            work["title"],
            f"{work['n_train']} + {work['n_validation']}",
            work["epochs"],
            f"{work['n_trials']} x {n_runs}",
            work["exactness"],
            *cells,
            _ratio(summary, "plain", None),
        )
    yield ""


def _ratio(summary: Document, peer: str, target: float | None) -> str:
    found = summary["ratios"].get(peer)
    if not found:
        return "–"
    text = f"{found['ratio']:.1f}x ({found['low']:.1f}–{found['high']:.1f})"
    if not target:
        return text
    return f"{text}, target {target:g}x {'reached' if found['ratio'] >= target else 'missed'}"


def _peers(document: Document) -> Iterator[str]:
    yield "## Time and memory of each peer"
    yield ""
    yield (
        "| work | peer | precision | s/trial: median (min–max) | trials/hour | useful tokens/s "
        "| useful GFLOP/s | of the matrix rate | peak memory, MiB | self-check: loss difference to the plain loop |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name, summary in document["summary"].items():
        for peer, numbers in summary["peers"].items():
            seconds = numbers["trial_s"]
            yield _row(
                f"`{name}`",
                PEERS[peer],
                numbers["precision"],
                f"{seconds['median']:.3g} ({seconds['low']:.3g}–{seconds['high']:.3g})",
                f"{numbers['trials_per_hour']:.0f}",
                f"{numbers['tokens_per_s']:.0f}",
                _giga(numbers["flops_per_s"]),
                _percent(numbers["flops_frac"]),
                f"{numbers['peak_mib']:.0f}",
                _check(peer, numbers["check"]),
            )
    yield ""


def _check(peer: str, check: Document) -> str:
    if peer == "plain":
        return "the reference"
    if check["difference"] is None:
        return "not checked: no plain loop"
    if check["tolerance"] is None:
        return f"{check['difference']:.3f}"
    verdict = "within" if check["within"] else "**beyond**"
    return f"{check['difference']:.3f}, {verdict} {check['tolerance']:.3f}"


def _ours(document: Document) -> Iterator[str]:
    yield "## Our engine"
    yield ""
    yield (
        "| work | suggest, tell, record | fits outside epochs | training step, ms | its useful GFLOP/s "
        f"| of the matrix rate (target, nothing frozen: {_percent(STEP_TARGET)}) "
        "| peak memory / Trainer's, defaults |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name, summary in document["summary"].items():
        if summary["ours"]:
            own, step = summary["ours"], summary["ours"]["step"]
            yield _row(
                f"`{name}`",
                _percent(own["study_frac"], 2),
                _percent(own["fits_frac"], 2),
                f"{1000 * step['seconds']:.0f}" if step else "–",
                _giga(step["flops_per_s"]) if step else "–",
                _step(step["flops_frac"], document["works"][name]["nothing_frozen"]) if step else "–",
                _memory(summary["peers"]),
            )


def _step(frac: float, nothing_frozen: bool) -> str:
    verdict = f", {'reached' if frac >= STEP_TARGET else 'missed'}" if nothing_frozen else ""
    return _percent(frac) + verdict


def _memory(peers: Document) -> str:
    if "default" not in peers:
        return "–"
    ratio = peers["ours"]["peak_mib"] / peers["default"]["peak_mib"]
    return f"{ratio:.2f}x, {'reached' if ratio <= 1 else 'missed'}"


def _giga(per_s: float) -> str:
    return f"{per_s / 1e9:.3g}"


def _percent(frac: float, digits: int = 0) -> str:
    return f"{100 * frac:.{digits}f} %"


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
