"""The works of the prediction benchmark, its sides, and the page about them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Record = Mapping[str, Any]

GOAL = 4.0
"""Times the pipeline's texts per second, as it is called by default, on IMDb's lengths."""

TOLERANCE = 1e-4
"""The largest difference of a probability in fp32."""


@dataclass(frozen=True)
class Work:
    """Texts of a file in ALF_DATA, of which a classifier reads so many tokens."""

    name: str
    title: str
    file: str
    max_tokens: int
    n_texts: int


WORKS = {
    work.name: work
    for work in (
        Work("imdb-512", "IMDb, 512 tokens", "imdb/test.parquet", 512, 192),
        Work("imdb-128", "IMDb, 128 tokens", "imdb/test.parquet", 128, 384),
        Work("sst2-48", "SST-2, 48 tokens", "sst2/test.csv", 48, 1024),
    )
}

ARMS: dict[str, tuple[str, int | None]] = {
    "pipeline": ("pipeline, a text at a time", 1),
    "pipeline-8": ("pipeline, batches of 8", 8),
    "pipeline-32": ("pipeline, batches of 32", 32),
    "predict": ("predict", None),
}
"""Title and batch size; predict chooses its own batches."""


def table(records: Sequence[Record]) -> str:
    """Return the page; it has the last run of each work."""
    machine = [record for record in records if record["kind"] == "machine"][-1]
    of: dict[str, list[Record]] = {}
    for record in records:
        if record["kind"] == "work":
            of[record["work"]] = []
        if record["kind"] != "machine":
            of[record["work"]].append(record)
    of = {work: of[work] for work in WORKS if work in of}
    return "\n".join([*_head(machine, of), *_speeds(of), *_bounds(of), *_profiles(of), *_agreement(of)]) + "\n"


def _head(machine: Record, of: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    loads = [record["load"] for own in of.values() for record in own if record["kind"] == "turn"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield "# Labels for texts: predict and transformers' pipeline"
    yield ""
    yield (
        f"{machine['started']} on {machine['cpu']}, {machine['n_threads']} threads of {machine['n_cores']} cores; "
        f"{versions}. MiniLM; the pipeline computes in fp32, predict in {machine['precision']}. "
        f"Load average of the machine {min(loads):.1f} to {max(loads):.1f}, in which this run counts for "
        f"{machine['n_threads']}."
    )
    yield ""


def _speeds(of: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    titles = [title for title, _ in ARMS.values()]
    yield "Texts per second: the median of the turns, with the lowest and the highest."
    yield ""
    yield from _rows(["work", "texts", "tokens a text", "cut", *titles], map(_speed_cells, of.values()))
    yield ""


def _speed_cells(own: Sequence[Record]) -> list[str]:
    size = _one(own, "work")
    cells = [
        WORKS[size["work"]].title,
        str(size["n_texts"]),
        f"{size['n_tokens'] / size['n_texts']:.0f}",
        f"{size['n_full'] / size['n_texts']:.0%}",
    ]
    for arm in ARMS:
        speeds = sorted(size["n_texts"] / seconds for seconds in _seconds(own, arm))
        cells.append(f"{median(speeds):.1f} ({speeds[0]:.1f}–{speeds[-1]:.1f})")
    return cells


def _bounds(of: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    yield (
        "Predict's speed as a multiple of the pipeline's: the median of the ratios within a repeat, with the lowest "
        "and the highest. *Bound* is the multiple of the default pipeline if nothing but the matrix products that are "
        "needed took time, at the rate measured between the turns. The last columns have the part of that rate that "
        "both reach, each by the operations that it has to do."
    )
    yield ""
    names = ["work", "of the pipeline, by default", "of its best batch size", "bound", "GFLOP/s of matrix products"]
    yield from _rows([*names, "predict reaches", "pipeline reaches"], map(_bound_cells, of.values()))
    yield ""
    yield from (_verdict(name, own) for name, own in of.items() if name == "imdb-512")
    yield ""


def _bound_cells(own: Sequence[Record]) -> list[str]:
    size, rate = _one(own, "work"), _rate(own)
    seconds = {arm: median(_seconds(own, arm)) for arm in ARMS}
    best = min((arm for arm in ARMS if arm != "predict"), key=lambda arm: seconds[arm])
    return [
        WORKS[size["work"]].title,
        _range(_ratios(own, "pipeline")),
        f"{_range(_ratios(own, best))} at {ARMS[best][1]}",
        f"{bound(own):.1f}x",
        f"{rate / 1e9:.0f}",
        f"{size['needed_flops'] / seconds['predict'] / rate:.0%}",
        f"{size['pipeline_flops'] / seconds['pipeline'] / rate:.0%}",
    ]


def bound(own: Sequence[Record]) -> float:
    """Return how much faster than the default pipeline exact arithmetic can be, at the matrix rate."""
    return median(_seconds(own, "pipeline")) * _rate(own) / float(_one(own, "work")["needed_flops"])


def _verdict(name: str, own: Sequence[Record]) -> str:
    ratio = median(_ratios(own, "pipeline"))
    verdict = "is reached" if ratio >= GOAL else "is missed"
    return (
        f"The goal of {GOAL:.0f}x on {WORKS[name].title}, {verdict}: {ratio:.2f}x, with a bound of {bound(own):.1f}x."
    )


def _profiles(of: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    profiles = [(work, one) for work, own in of.items() for one in own if one["kind"] == "profile"]
    if not profiles:
        return
    yield "CPU time of torch's operators on one thread, in milliseconds a text, and what part of it each kind takes:"
    yield ""
    rows = (
        [WORKS[work].title, ARMS[one["arm"]][0], *_profile_cells(_one(of[work], "work"), one)] for work, one in profiles
    )
    yield from _rows(["work", "side", "all", *profiles[0][1]["cpu_s"]], rows)
    yield ""


def _profile_cells(size: Record, profile: Record) -> Iterator[str]:
    whole = sum(profile["cpu_s"].values())
    yield f"{whole / size['n_texts'] * 1000:.1f}"
    yield from (f"{part / whole:.0%}" for part in profile["cpu_s"].values())


def _agreement(of: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    yield "Agreement with the pipeline, a text at a time:"
    yield ""
    rows = [
        [WORKS[work].title, ARMS[one["arm"]][0], str(one["n_other_class"]), f"{one['largest_difference']:.1e}"]
        for work, own in of.items()
        for one in own
        if one["kind"] == "agreement" and one["arm"] != "pipeline"
    ]
    yield from _rows(["work", "side", "texts of another class", "largest difference of a probability"], rows)


def _one(own: Sequence[Record], kind: str) -> Record:
    return next(record for record in own if record["kind"] == kind)


def _seconds(own: Sequence[Record], arm: str) -> list[float]:
    return [float(record["seconds"]) for record in own if record["kind"] == "turn" and record["arm"] == arm]


def _ratios(own: Sequence[Record], arm: str) -> list[float]:
    return sorted(theirs / ours for theirs, ours in zip(_seconds(own, arm), _seconds(own, "predict"), strict=False))


def _rate(own: Sequence[Record]) -> float:
    return max(float(record["flops_per_s"]) for record in own if record["kind"] == "rate")


def _range(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f}x ({ratios[0]:.2f}–{ratios[-1]:.2f})"


def _rows(names: Sequence[str], rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    yield from (f"| {' | '.join(cells)} |" for cells in rows)
