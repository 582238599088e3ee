"""Measure the time of a fit by frozen layers, and compare it with the cost formulas.

    python benchmarks/freeze_cost.py                                          under five minutes on two quiet cores
    python benchmarks/freeze_cost.py --json freeze_cost.json --table freeze_cost.md
    python benchmarks/freeze_cost.py --read freeze_cost.json                  the table again, without a run

MiniLM on the packaged film reviews, embeddings and the first N layers frozen. A level's seconds are those of an epoch,
training and evaluation, after the first one: the median over epochs and rounds; the levels alternate. Beside them are
the predictions of `cost/`, each as a ratio to the full model:

* plan: the whole formula at the speed that `finetune-alf plan` measures, just before, on a few steps;
* ends: operations and layers run, at the speed of the full model and of the head only: the levels between them are
  predicted;
* operations: those of matrix products, as if nothing else took time.
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

from finetune_alf.files import write_text
from finetune_alf.json_files import read_json, write_json
from finetune_alf.report.numbers import counted

HERE = Path(__file__).resolve().parent.parent
TOLERANCE = 0.25
"""The largest relative error of a predicted ratio."""

KINDS = ("plan", "ends", "operations")
STUDY, SAMPLE = "minilm", "films"

Document = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--read", type=Path, metavar="JSON", help="print the table of this file, without a run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table here")
    parser.add_argument("--rounds", type=int, default=4, help="fits of each level, after one for warm-up")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each fit; the first is not counted")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--frozen-dropout", choices=("on", "error"), default="on")
    args = parser.parse_args()
    if args.epochs < 2 or args.rounds < 1:
        parser.error("--epochs, --rounds: must be at least 2 and 1, since the first epoch and round are not counted")
    document = read_json(args.read) if args.read else measure(args)
    if args.json:
        write_json(args.json, document)
    if args.table:
        write_text(args.table, table(document))
    print(table(document))
    if not (args.json or args.read):
        print(json.dumps(document, indent=1))
    return 0


def measure(args: argparse.Namespace) -> Document:
    """Probe the machine, then time every level."""
    from finetune_alf.running.bench import open_bench
    from finetune_alf.running.prepare import prepare

    started = time.time()
    with tempfile.TemporaryDirectory() as folder:
        ctx = _context(Path(folder), args)
        prepare(ctx, SAMPLE)
        bench = open_bench(ctx, STUDY)
        works, planned = _predict(bench)
        seconds = _time(bench, args)
    return {
        "started": time.strftime("%Y-%m-%d %H:%M", time.localtime(started)),
        "machine": _machine(args),
        "encoder": bench.encoder.identity.partition(":")[0],
        "n_train": len(bench.only.splits["train"].labels),
        "n_validation": len(bench.only.splits["validation"].labels),
        "rounds": args.rounds,
        "epochs": args.epochs,
        "frozen_dropout": args.frozen_dropout,
        "seconds": time.time() - started,
        "levels": rows(seconds, {"plan": planned, "ends": _from_ends(works, seconds), "operations": _flops(works)}),
    }


def rows(seconds: Mapping[str, Sequence[float]], predicted: Mapping[str, Mapping[str, float]]) -> list[Document]:
    """Return each level's seconds and ratios to the full model, the first level; `error` is that of the predictions."""
    full = next(iter(seconds))
    levels = []
    for level, own in seconds.items():
        ratio = median(own) / median(seconds[full])
        ratios = {kind: values[level] / values[full] for kind, values in predicted.items()}
        error = {kind: value / ratio - 1 for kind, value in ratios.items()}
        times = {"median_s": median(own), "min_s": min(own), "max_s": max(own)}
        levels.append({"frozen": level, **times, "ratio": ratio, "predicted": ratios, "error": error})
    return levels


def table(document: Document) -> str:
    """Return the page."""
    machine, levels = document["machine"], document["levels"]
    texts = f"{document['n_train']} training texts, {document['n_validation']} validation texts"
    lines = [
        f"# Freezing and time, {document['encoder']}",
        "",
        f"{document['started']} on {machine['cpu']}, {machine['n_threads']} threads of {machine['n_cores']} cores, "
        f"{machine['precision']}; an epoch of {texts}, dropout in frozen layers {document['frozen_dropout']}; "
        f"{counted(document['rounds'], 'round')} of {document['epochs']} epochs, {document['seconds']:.0f} s in all.",
        "",
        "| frozen layers | seconds/epoch | to full | by plan | error | by its ends | error | by operations | error |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *map(_row, levels),
        "",
        *(f"* {_verdict(kind, levels)}" for kind in KINDS),
    ]
    return "\n".join(lines) + "\n"


def _row(own: Document) -> str:
    ends = f"{own['median_s']:.3f} ({own['min_s']:.3f} to {own['max_s']:.3f})"
    cells = [own["frozen"], ends, f"{own['ratio']:.2f}"]
    for kind in KINDS:
        cells += [f"{own['predicted'][kind]:.2f}", f"{own['error'][kind]:+.0%}"]
    return f"| {' | '.join(cells)} |"


def _verdict(kind: str, levels: Sequence[Document]) -> str:
    worst = max(levels, key=lambda own: abs(own["error"][kind]))
    is_within = abs(worst["error"][kind]) <= TOLERANCE
    return (
        f"By {kind}: {'within' if is_within else 'NOT within'} {TOLERANCE:.0%} at every level; the largest error is "
        f"{worst['error'][kind]:+.0%}, with {worst['frozen']} frozen."
    )


def _context(root: Path, args: argparse.Namespace) -> Any:
    """Return the default project with a larger sample of films, and the paper's batch size."""
    from finetune_alf.experiments.registry import load_params
    from finetune_alf.paths import Paths
    from finetune_alf.running.context import Context

    params = load_params(HERE / "params.yaml")
    sizes = {"n_train": 192, "n_validation": 64, "n_confirmation": 0, "n_test": 0, "max_train_frac": 1.0}
    recipe = params.studies[STUDY].recipe
    recipe = recipe.model_copy(
        update={"batch": 16, "epochs": args.epochs, "max_tokens": 64, "frozen_dropout": args.frozen_dropout}
    )
    changes = {
        "samples": {SAMPLE: params.samples[SAMPLE].model_copy(update=sizes)},
        "studies": {STUDY: params.studies[STUDY].model_copy(update={"recipe": recipe})},
        "compute": params.compute.model_copy(update={"n_threads": args.threads}),
    }
    return Context(params.model_copy(update=changes), Paths(root))


def _recipes(bench: Any) -> dict[str, Any]:
    """Return the recipe of each level, the full model first."""
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
    from finetune_alf.planning.probe import N_KINDS, Probe, engine_of, shape_of
    from finetune_alf.running.context import SilentConsole

    shape, engine = shape_of(bench.encoder), engine_of(bench.encoder, bench.fit_runner.compute)
    with SilentConsole().progress("probe", N_KINDS) as bar:
        speed = Probe(bench.encoder, bench.study.recipe, bench.only, bench.fit_runner.compute).speed(bar)
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
    """Return seconds by operations and layers run, at the speed of the first and the last level."""
    from finetune_alf.cost.speed import TimedWork, estimate_speed
    from finetune_alf.cost.work import Work

    parts = {
        level: Work(train_flops=work.flops, train_calls=work.train_calls + work.evaluation_calls)
        for level, work in works.items()
    }
    first, *_, last = parts
    speed = estimate_speed([TimedWork(parts[level], median(seconds[level])) for level in (first, last)], fit_s=0.0)
    return {level: speed.seconds(work) for level, work in parts.items()}


def _time(bench: Any, args: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of every counted epoch by level; the levels alternate, after a round for warm-up."""
    from finetune_alf.jobs.job import FitJob

    digest, precision = bench.sample.card.digest, bench.fit_runner.compute.precision
    seconds: dict[str, list[float]] = {}
    for round_number in range(args.rounds + 1):
        for level, recipe in _recipes(bench).items():
            job = FitJob(level, recipe, bench.encoder_spec, digest, 0, precision)
            result = bench.fit_runner(job, lambda metrics: True)
            if round_number:
                seconds.setdefault(level, []).extend(epoch.seconds for epoch in result.epochs[1:])
    return seconds


def _machine(args: argparse.Namespace) -> Document:
    import os

    import torch
    from engine_machine import cpu_name

    from finetune_alf.compute import ComputeSpec, resolve

    precision = resolve(ComputeSpec()).precision
    return {
        "cpu": cpu_name(),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "precision": precision,
    }


if __name__ == "__main__":
    sys.exit(main())
