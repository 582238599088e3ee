"""The Markdown of a benchmark's document: every number in it is read from there."""

from collections.abc import Iterator, Mapping
from typing import Any

from engine_records import PEERS
from engine_summary import STEP_TARGET

Document = Mapping[str, Any]


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
        f"{_giga(machine['bf16'])} in bf16. {document['seconds'] / 60:.1f} minutes in all."
    )
    yield ""
    for name, reason in document["skipped"].items():
        yield f"* `{name}` left out: {reason}"
    yield ""


def _ratios(document: Document) -> Iterator[str]:
    yield "## How many times faster, at equal work"
    yield ""
    yield (
        "| work | texts: train + validation | epochs | trials x runs | class | against Trainer, defaults "
        "| against Trainer, tuned | against the plain loop |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, told in document["summary"].items():
        work = document["works"][name]
        targets = work["targets"] or (None, None)
        n_runs = told["peers"].get("ours", {}).get("n_runs", 0)
        cells = [_ratio(told, peer, target) for peer, target in zip(("default", "tuned"), targets, strict=True)]
        yield _row(
            work["title"],
            f"{work['n_train']} + {work['n_validation']}",
            work["epochs"],
            f"{work['n_trials']} x {n_runs}",
            work["exactness"],
            *cells,
            _ratio(told, "plain", None),
        )
    yield ""


def _ratio(told: Document, peer: str, target: float | None) -> str:
    found = told["ratios"].get(peer)
    if not found:
        return "–"
    text = f"{found['ratio']:.1f}x ({found['low']:.1f}–{found['high']:.1f})"
    if not target:
        return text
    return f"{text}, target {target:g}x {'reached' if found['ratio'] >= target else 'missed'}"


def _peers(document: Document) -> Iterator[str]:
    yield "## What each peer took"
    yield ""
    yield (
        "| work | peer | arithmetic | s a trial: median (least–most) | trials an hour | useful tokens/s "
        "| useful GFLOP/s | of the matrix rate | peak memory, MiB | self-check: loss off the plain loop's, nats |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name, told in document["summary"].items():
        for peer, numbers in told["peers"].items():
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
    yield "## Our engine by itself"
    yield ""
    yield (
        "| work | ask, tell, record | rest of the fits outside epochs | a training step, ms | its useful GFLOP/s "
        f"| of the matrix rate (target, everything open: {_percent(STEP_TARGET)}) "
        "| peak memory against Trainer's defaults |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name, told in document["summary"].items():
        if told["ours"]:
            own, step = told["ours"], told["ours"]["step"]
            yield _row(
                f"`{name}`",
                _percent(own["study_frac"], 2),
                _percent(own["fits_frac"], 2),
                f"{1000 * step['seconds']:.0f}" if step else "–",
                _giga(step["flops_per_s"]) if step else "–",
                _step(step["flops_frac"], document["works"][name]["everything_open"]) if step else "–",
                _memory(told["peers"]),
            )


def _step(frac: float, everything_open: bool) -> str:
    verdict = f", {'reached' if frac >= STEP_TARGET else 'missed'}" if everything_open else ""
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
