"""How the time of a fit falls with the layers that are frozen, beside what the cost formula says.

    python benchmarks/freeze_cost.py                                          under five minutes on two quiet cores
    python benchmarks/freeze_cost.py --json freeze_cost.json --table freeze_cost.md
    python benchmarks/freeze_cost.py --read freeze_cost.json                  the table again, nothing runs

MiniLM on the packaged film reviews, embeddings and the first N layers frozen. A level's seconds are those of an epoch,
training and evaluation, after the first one: the median over epochs and rounds, the levels taking turns. Beside them
stands what `cost/` predicts, each as a ratio to the full model:

* plan: the whole formula at the prices that `finetune-alf plan` measures, here just before, on a few steps;
* ends: operations and layers run through, at the prices that the full model and the head alone took: what lies between
  them is predicted;
* operations: those of matrix products alone, as if nothing else took time.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from finetune_alf.files import read_json, write_json, write_text

HERE = Path(__file__).resolve().parent.parent
WITHIN = 0.25
"""How far a prediction may lie off the measured ratio, as a part of it."""

KINDS = ("plan", "ends", "operations")
STUDY, SAMPLE = "minilm", "films"

Document = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--read", type=Path, metavar="JSON", help="a document of an earlier run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep the numbers")
    parser.add_argument("--table", type=Path, metavar="FILE", help="where to keep the table")
    parser.add_argument("--rounds", type=int, default=4, help="how often each level is fitted, after one to warm up")
    parser.add_argument("--epochs", type=int, default=5, help="of each fit; the first is not counted")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--frozen-dropout", choices=("on", "off"), default="on")
    asked = parser.parse_args()
    if asked.epochs < 2 or asked.rounds < 1:
        parser.error("--epochs, --rounds: must be at least 2 and 1, since the first epoch and round are not counted")
    document = read_json(asked.read) if asked.read else measure(asked)
    if asked.json:
        write_json(asked.json, document)
    if asked.table:
        write_text(asked.table, table(document))
    print(table(document))
    if not (asked.json or asked.read):
        print(json.dumps(document, indent=1))
    return 0


def measure(asked: argparse.Namespace) -> Document:
    """Probe the machine, then time every level in turn."""
    from finetune_alf.running.bench import open_bench
    from finetune_alf.running.prepare import prepare

    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        ctx = _context(Path(folder), asked)
        prepare(ctx, SAMPLE)
        bench = open_bench(ctx, STUDY)
        works, planned = _predict(bench)
        seconds = _time(bench, asked)
    return {
        "started": time.strftime("%Y-%m-%d %H:%M", time.localtime(began)),
        "machine": _machine(asked),
        "encoder": bench.encoder.identity.partition(":")[0],
        "n_train": len(bench.only.splits["train"].labels),
        "n_validation": len(bench.only.splits["validation"].labels),
        "rounds": asked.rounds,
        "epochs": asked.epochs,
        "frozen_dropout": asked.frozen_dropout,
        "seconds": time.time() - began,
        "levels": rows(seconds, {"plan": planned, "ends": _from_ends(works, seconds), "operations": _flops(works)}),
    }


def rows(seconds: Mapping[str, Sequence[float]], predicted: Mapping[str, Mapping[str, float]]) -> list[Document]:
    """Return each level's seconds and ratios to the full model, the first level; `off` says how far predictions are."""
    full = next(iter(seconds))
    told = []
    for level, own in seconds.items():
        ratio = median(own) / median(seconds[full])
        ratios = {kind: values[level] / values[full] for kind, values in predicted.items()}
        off = {kind: value / ratio - 1 for kind, value in ratios.items()}
        ends = {"median_s": median(own), "least_s": min(own), "most_s": max(own)}
        told.append({"frozen": level, **ends, "ratio": ratio, "predicted": ratios, "off": off})
    return told


def table(document: Document) -> str:
    """Return the page."""
    machine, levels = document["machine"], document["levels"]
    texts = f"{document['n_train']} texts of training, {document['n_validation']} of evaluation"
    lines = [
        f"# Freezing and time, {document['encoder']}",
        "",
        f"{document['started']} on {machine['cpu']}, {machine['n_threads']} threads of {machine['n_cores']} cores, "
        f"{machine['precision']}; an epoch of {texts}, dropout in frozen layers {document['frozen_dropout']}; "
        f"{document['rounds']} rounds of {document['epochs']} epochs, {document['seconds']:.0f} s in all.",
        "",
        "| frozen layers | seconds an epoch | to full | by plan | off | by its ends | off | by operations | off |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *map(_row, levels),
        "",
        *(f"* {_verdict(kind, levels)}" for kind in KINDS),
    ]
    return "\n".join(lines) + "\n"


def _row(own: Document) -> str:
    ends = f"{own['median_s']:.3f} ({own['least_s']:.3f} to {own['most_s']:.3f})"
    cells = [own["frozen"], ends, f"{own['ratio']:.2f}"]
    for kind in KINDS:
        cells += [f"{own['predicted'][kind]:.2f}", f"{own['off'][kind]:+.0%}"]
    return f"| {' | '.join(cells)} |"


def _verdict(kind: str, levels: Sequence[Document]) -> str:
    worst = max(levels, key=lambda own: abs(own["off"][kind]))
    is_within = abs(worst["off"][kind]) <= WITHIN
    return (
        f"By {kind}: {'within' if is_within else 'NOT within'} {WITHIN:.0%} at every level; the farthest is "
        f"{worst['off'][kind]:+.0%}, with {worst['frozen']} frozen."
    )


def _context(root: Path, asked: argparse.Namespace) -> Any:
    """Return the default project with a larger sample of films, and batches as the paper has them."""
    from finetune_alf.experiments.registry import load_params
    from finetune_alf.paths import Paths
    from finetune_alf.running.context import Context

    params = load_params(HERE / "params.yaml")
    sizes = {"n_train": 192, "n_validation": 64, "n_confirmation": 0, "n_test": 0, "max_train_frac": 1.0}
    recipe = params.studies[STUDY].recipe
    recipe = recipe.model_copy(
        update={"batch": 16, "epochs": asked.epochs, "max_tokens": 64, "frozen_dropout": asked.frozen_dropout}
    )
    changes = {
        "samples": {SAMPLE: params.samples[SAMPLE].model_copy(update=sizes)},
        "studies": {STUDY: params.studies[STUDY].model_copy(update={"recipe": recipe})},
        "compute": params.compute.model_copy(update={"n_threads": asked.threads}),
    }
    return Context(params.model_copy(update=changes), Paths(root))


def _recipes(bench: Any) -> dict[str, Any]:
    """Return the recipe of each level, the full model's first."""
    from finetune_alf.experiments.freeze.levels import levels
    from finetune_alf.rates import HEAD

    recipe, n_layers = bench.study.recipe, bench.encoder.n_layers
    rate, head = recipe.rates.highest, recipe.rates.at(n_layers)[HEAD]
    grid = levels(range(1, n_layers + 1), n_layers)
    return {level.name: recipe.with_rates(level.rates(rate, head)) for level in grid}


def _predict(bench: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the work of an epoch after the first by level, and its seconds by plan."""
    from finetune_alf.cost.work import fit_work
    from finetune_alf.planning.lengths import fit_lengths
    from finetune_alf.planning.probe import N_PROBES, Probe, engine_of, shape_of
    from finetune_alf.running.context import SilentConsole

    shape, engine = shape_of(bench.encoder), engine_of(bench.encoder, bench.study.recipe)
    with SilentConsole().bar("probe", N_PROBES) as bar:
        speed = Probe(bench.encoder, bench.study.recipe, bench.only, bench.fit_runner.n_threads).speed(bar)
    lengths = fit_lengths(bench.encoder, bench.only, bench.study.recipe.max_tokens, None)
    works = {
        level: fit_work(shape, lengths, recipe.model_copy(update={"epochs": 2}), engine)
        - fit_work(shape, lengths, recipe.model_copy(update={"epochs": 1}), engine)
        for level, recipe in _recipes(bench).items()
    }
    return works, {level: speed.seconds(work) - speed.fit_s for level, work in works.items()}


def _flops(works: Mapping[str, Any]) -> dict[str, float]:
    return {level: work.flops for level, work in works.items()}


def _from_ends(works: Mapping[str, Any], seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return seconds by operations and layers run through, at the prices of the first and the last level."""
    from finetune_alf.cost.speed import TimedWork, estimate_speed
    from finetune_alf.cost.work import Work

    parts = {
        level: Work(train_flops=work.flops, train_calls=work.train_calls + work.evaluation_calls)
        for level, work in works.items()
    }
    first, *_, last = parts
    speed = estimate_speed([TimedWork(parts[level], median(seconds[level])) for level in (first, last)], fit_s=0.0)
    return {level: speed.seconds(work) for level, work in parts.items()}


def _time(bench: Any, asked: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of every counted epoch by level; the levels take turns, after a round to warm up."""
    from finetune_alf.train.job import FitJob

    seconds: dict[str, list[float]] = {}
    for turn in range(asked.rounds + 1):
        for level, recipe in _recipes(bench).items():
            job = FitJob(level, recipe, bench.encoder_spec, bench.sample.card.digest, seed=0)
            result = bench.fit_runner(job, lambda record: True)
            if turn:
                seconds.setdefault(level, []).extend(record.seconds for record in result.epochs[1:])
    return seconds


def _machine(asked: argparse.Namespace) -> Document:
    import os

    import torch
    from engine_machine import cpu_name

    from finetune_alf.train.precision import resolve_device, resolve_precision

    precision = resolve_precision("auto", resolve_device("auto"))
    return {
        "cpu": cpu_name(),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "precision": precision,
    }


if __name__ == "__main__":
    sys.exit(main())
