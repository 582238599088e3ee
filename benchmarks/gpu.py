"""Measure the engine on a GPU, in one command of under nine minutes.

    python benchmarks/gpu.py --json gpu.json               on cuda:0
    python benchmarks/gpu.py --device cpu --tiny           a dry run on any machine

Runs the tests marked cuda; measures the machine's matrix products and copies; times Trainer, as it comes and tuned, our
engine as a ladder of techniques, and fused fits; and runs a study for three minutes with checks of what it leaves. The
encoders have random weights of published shapes, the texts made-up tokens and the lengths of real sets
(token_lengths.json). README.md says how to read the table.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata, util
from pathlib import Path
from typing import Any

import torch
from engine_machine import SIZES, best_rate, cpu_name
from gpu_ladder import lockstep, rung, rungs
from gpu_study import study
from gpu_table import table
from gpu_timing import Measurement
from gpu_trainer import VARIANTS, trainer
from gpu_work import ENCODERS, TINY_WORKS, WORKS, Work

from finetune_alf.json_files import write_json

ROOT = Path(__file__).resolve().parents[1]
MEMBERS = (1, 2, 4, 8, 16)
TESTS_S = 120.0
"""The tests are stopped after this time."""

Cell = tuple[Measurement, Callable[[], Measurement]]
"""A line of the table without its numbers, and what measures it."""


def main() -> int:
    args = _arguments()
    started = time.monotonic()
    deadline = started + 60 * args.minutes
    works, encoders = (TINY_WORKS, ["tiny"]) if args.tiny else (WORKS, ["distilbert", "bert-base", "roberta-base"])
    encoders = args.encoders or encoders
    study_s = 5.0 if args.tiny else args.study_seconds
    document: dict[str, Any] = {"tests": _tests(), "machine": _machine(args.device, args.tiny), "lines": []}
    for line, cell in _cells(encoders, works, args.device):
        if time.monotonic() < deadline - study_s - 15:  # what a cell and the checks take
            line = cell()
        _log(f"{line.encoder}, {line.texts}, {line.what}: {line.problem or line.fit_s}", started)
        document["lines"].append(line.as_json())
        _write(args.json, document, started)
    document["study"] = study(encoders[0], works[-1], args.device, study_s)
    _write(args.json, document, started)
    print(table(document), end="")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0", help="cuda:0, or cpu")
    parser.add_argument("--tiny", action="store_true", help="a tiny encoder on few texts, to see that all of it runs")
    parser.add_argument("--encoders", nargs="+", choices=list(ENCODERS), metavar="NAME", help=", ".join(ENCODERS))
    parser.add_argument("--minutes", type=float, default=8.5, help="no line is measured that would end later")
    parser.add_argument("--study-seconds", type=float, default=180.0)
    parser.add_argument("--json", type=Path, help="write all numbers here, after every line")
    return parser.parse_args()


def _cells(encoders: list[str], works: tuple[Work, ...], device: str) -> Iterator[Cell]:
    """Yield the cells, what matters most first: fused fits on short texts, which fill a GPU least."""
    for index, encoder in enumerate(encoders):
        for work in works:
            for variant in VARIANTS:
                yield _cell("trainer", encoder, work, variant, partial(trainer, variant, encoder, work, device))
            for name, missing in rungs():
                yield _cell("ladder", encoder, work, name, partial(rung, name, missing, encoder, work, device))
        for k in MEMBERS if index < 2 else ():
            measured = partial(lockstep, k, encoder, works[-1], device)
            yield _cell("lockstep", encoder, works[-1], f"K = {k}", measured)


def _cell(part: str, encoder: str, work: Work, what: str, measured: Callable[[], Measurement]) -> Cell:
    return Measurement(part, encoder, work.texts, what, problem="no time"), measured


def _tests() -> str:
    """Run the tests marked cuda; return the last line of pytest."""
    if not util.find_spec("pytest"):
        return "skipped, pytest is not installed"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "cuda",
        "-p",
        "no:cacheprovider",
        "tests/train/test_on_cuda.py",
    ]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TESTS_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"stopped after {TESTS_S:.0f} s"
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-2000:], file=sys.stderr)
    return done.stdout.strip().rpartition("\n")[2].strip("= ") or f"exit code {done.returncode}"


def _machine(device: str, is_tiny: bool) -> dict[str, Any]:
    """Measure matrix products in FLOP/s and copies in bytes a second."""
    sizes = SIZES[:1] if is_tiny else SIZES
    n_bytes = 1 << 20 if is_tiny else 1 << 31
    row = torch.empty(n_bytes, dtype=torch.uint8, device=device).random_()
    on_host = torch.empty(min(n_bytes, 1 << 28), dtype=torch.uint8, pin_memory=device != "cpu")
    target = torch.empty_like(row)
    return {
        "device": cpu_name() if device == "cpu" else torch.cuda.get_device_name(device),
        "versions": {name: metadata.version(name) for name in ("torch", "transformers")},
        "fp32": best_rate(device, torch.float32, sizes),
        "bf16": best_rate(device, torch.bfloat16, sizes),
        "copy": 2 * n_bytes / _seconds(lambda: target.copy_(row), device),
        "to_device": on_host.numel() / _seconds(lambda: on_host.to(device, non_blocking=True, copy=True), device),
    }


def _seconds(run: Callable[[], object], device: str, n_times: int = 10) -> float:
    """Return the seconds of one run, the mean of several after one to warm up."""
    run()
    _wait(device)
    started = time.perf_counter()
    for _ in range(n_times):
        run()
    _wait(device)
    return (time.perf_counter() - started) / n_times


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def _write(file: Path | None, document: dict[str, Any], started: float) -> None:
    document["seconds"] = time.monotonic() - started
    if file:
        write_json(file, document)


def _log(text: str, started: float) -> None:
    print(f"[{time.monotonic() - started:4.0f} s] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
