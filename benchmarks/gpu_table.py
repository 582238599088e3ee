"""The table of gpu.py, made of its JSON."""

from collections.abc import Iterator
from typing import Any

HEADER = "| encoder | texts | what | s a fit | texts/s | Trainer's time | of the matrix rate | peak GiB | loss |"


def table(document: dict[str, Any]) -> str:
    """Return the lines about the machine, the table of all fits, and those about tests and study."""
    lines = [*_machine(document), "", HEADER, "|" + "---|" * 9]
    lines += [_line(line, document) for line in document["lines"]]
    return "\n".join([*lines, "", *_busy(document["lines"]), *_study(document.get("study"))]) + "\n"


def _machine(document: dict[str, Any]) -> Iterator[str]:
    machine = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield f"{machine['device']}; {versions}; {document['seconds']:.0f} s in all."
    yield (
        f"Matrix products: {machine['fp32'] / 1e12:.3g} TFLOP/s in fp32, {machine['bf16'] / 1e12:.3g} in bf16. Copies: "
        f"{machine['copy'] / 1e9:.3g} GB/s on the device, read and written; {machine['to_device'] / 1e9:.3g} to it."
    )
    yield f"Tests marked cuda: {document['tests']}."


def _line(line: dict[str, Any], document: dict[str, Any]) -> str:
    head = f"| {line['encoder']} | {line['texts']} | {line['what']}, {line['precision']} "
    if line["problem"] or not line["fit_s"]:
        return head + f"| {line['problem'] or 'no time'} | | | | | |"
    rate = line["flops"] / line["fit_s"] / document["machine"][line["precision"]]
    peak = "" if line["peak_gib"] is None else f"{line['peak_gib']:.2f}"
    numbers = f"| {line['fit_s']:.3g} | {line['n_texts'] / line['fit_s']:.0f} | {_ratio(line, document)} "
    return head + numbers + f"| {100 * rate:.0f} % | {peak} | {line['loss']:.3f} |"


def _ratio(line: dict[str, Any], document: dict[str, Any]) -> str:
    """Return how many times as long Trainer takes, as it comes and tuned."""
    same = [
        other["fit_s"] / line["fit_s"]
        for other in document["lines"]
        if other["part"] == "trainer" and other["fit_s"] and _work(other) == _work(line)
    ]
    return ", ".join(f"{ratio:.1f}x" for ratio in same)


def _work(line: dict[str, Any]) -> tuple[str, str]:
    return line["encoder"], line["texts"]


def _busy(lines: list[dict[str, Any]]) -> Iterator[str]:
    for line in lines:
        if line["busy_frac"] is not None:
            yield f"{line['encoder']}, {line['texts']}: the GPU computes for {100 * line['busy_frac']:.0f} % of a fit."


def _study(study: dict[str, Any] | None) -> Iterator[str]:
    if not study:
        return
    if "skipped" in study:
        yield f"Study: skipped, {study['skipped']}."
        return
    yield (
        f"Study: {study['n_trials']} trials in {study['seconds']:.0f} s, {study['n_pruned']} pruned, "
        f"{study['n_failed']} failed, best score {study['best']:.3f}; {100 * study['fits_frac']:.0f} % of it in fits."
    )
    for name, holds in study["checks"].items():
        yield f"* {name}: {'yes' if holds else '**no**'}"
