"""The summary of the runs: medians, ratios, rates, self-checks. Pure: a document in, a document out."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any

STEP_TARGET = 0.55
"""The fraction of the machine's matrix rate that a step with nothing frozen should reach."""

N_DEVIATIONS, MIN_TOLERANCE = 4.0, 0.01
"""Losses may differ by this many standard deviations over seeds, or by this many nats if that is more."""

Document = Mapping[str, Any]
Run = Mapping[str, Any]


def summarise(document: Document) -> dict[str, Any]:
    """Return the numbers of each work's peers, and the comparison with our engine."""
    works = {}
    for name, work in document["works"].items():
        runs = [run for run in document["runs"] if run["work"] == name]
        if runs:
            works[name] = _work(work, runs, document["machine"])
    return works


def _work(work: Document, runs: list[Run], machine: Document) -> dict[str, Any]:
    by_peer: dict[str, list[Run]] = {}
    for run in runs:
        by_peer.setdefault(run["peer"], []).append(run)
    tolerance = _tolerance(by_peer.get("ours", []))
    peers = {peer: _peer(work, some, by_peer.get("plain"), tolerance, machine) for peer, some in by_peer.items()}
    ours = by_peer.get("ours")
    ratios = {peer: _ratio(some, ours) for peer, some in by_peer.items() if ours and peer != "ours"}
    return {"peers": peers, "ratios": ratios, "ours": _ours(work, ours, machine) if ours else None}


def _peer(
    work: Document, runs: list[Run], plain: list[Run] | None, tolerance: float | None, machine: Document
) -> dict[str, Any]:
    trial_s = spread_of(runs, _trial_s)
    seconds, precision = trial_s["median"], runs[0]["precision"]
    flops = statistics.fmean(work["flops"]) / seconds
    difference = _difference(runs, plain) if plain else None
    return {
        "precision": precision,
        "n_runs": len(runs),
        "trial_s": trial_s,
        "trials_per_hour": 3600 / seconds,
        "tokens_per_s": work["epochs"] * work["n_tokens"] / seconds,
        "flops_per_s": flops,
        "flops_frac": flops / machine[precision],
        "peak_mib": statistics.median(run["peak_mib"] for run in runs),
        "setup_s": statistics.median(run["setup_s"] for run in runs),
        "check": {
            "difference": difference,
            "tolerance": tolerance,
            "within": None if difference is None or tolerance is None else difference <= tolerance,
        },
    }


def spread_of(runs: Iterable[Run], of: Callable[[Run], float]) -> dict[str, float]:
    """Return the median, minimum and maximum of a number over runs."""
    values = [of(run) for run in runs]
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def _trial_s(run: Run) -> float:
    return float(run["wall_s"] / run["counts"]["n_trials"])


def _ratio(runs: list[Run], ours: list[Run]) -> dict[str, float]:
    """Return the ratio of the medians, and the lowest and highest ratio within one repeat."""
    by_repeat = {run["repeat"]: _trial_s(run) for run in ours}
    within = [_trial_s(run) / by_repeat[run["repeat"]] for run in runs if run["repeat"] in by_repeat]
    ratio = spread_of(runs, _trial_s)["median"] / spread_of(ours, _trial_s)["median"]
    return {"ratio": ratio, "low": min(within, default=ratio), "high": max(within, default=ratio)}


def _ours(work: Document, runs: list[Run], machine: Document) -> dict[str, Any]:
    stepped = [run["step_s"] for run in runs if run["step_s"]]
    step = None
    if stepped:
        seconds = statistics.median(stepped)
        per_s = work["step_flops"] / seconds
        step = {"seconds": seconds, "flops_per_s": per_s, "flops_frac": per_s / machine[runs[0]["precision"]]}
    return {
        "study_frac": statistics.median(run["overhead"]["study_frac"] for run in runs),
        "fits_frac": statistics.median(run["overhead"]["fits_frac"] for run in runs),
        "step": step,
    }


def _difference(runs: list[Run], plain: list[Run]) -> float:
    """Return the largest difference from the plain loop's losses, in nats, over trials and epochs."""
    reference = plain[0]["curves"]
    return max(
        abs(mine - theirs)
        for run in runs
        for curve, other in zip(run["curves"], reference, strict=True)
        for mine, theirs in zip(_losses(curve), _losses(other), strict=True)
    )


def _tolerance(ours: list[Run]) -> float | None:
    """Return the tolerance of the losses, from the spread over other seeds; None where that is unknown."""
    curves = [curve for run in ours for curve in run["spread"]]
    if len(curves) < 2:
        return None
    by_epoch = zip(*(_losses(curve) for curve in curves), strict=True)
    widest: float = max(statistics.stdev(losses) for losses in by_epoch)
    return max(MIN_TOLERANCE, N_DEVIATIONS * widest)


def _losses(curve: Mapping[str, Any]) -> list[float]:
    return [curve["train"], *curve["validation"]]
