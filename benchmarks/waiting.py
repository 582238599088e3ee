"""Compare how threads wait for each other where two processes want the same cores: in a loop, or asleep.

    python benchmarks/waiting.py         six minutes

MiniLM on the packaged film reviews, nothing frozen, with a thread for each core in every process. Fits of twelve steps
follow each other for a while; a number is the steps a second of a process, its first fit left out. Each round has one
process alone and two side by side, in both ways; a ratio is the median of those within a round.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

WAYS = {"in a loop": {}, "asleep": {"OMP_WAIT_POLICY": "passive"}}
"""What is set in the environment of a process; sleep_where_busy sets it where a machine is busy."""

N_STEPS = 12
"""Steps of a fit."""

Steps = dict[tuple[str, int], list[list[float]]]
"""Steps a second of each process, by way and number of processes, round after round."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--encoder", choices=["minilm", "tiny"], default="minilm")
    parser.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(steps_a_second(args.encoder, args.seconds, args.child)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found: Steps = {(way, n): [] for n in (1, 2) for way in WAYS}
        for _ in range(args.rounds):
            for (way, n), rounds in found.items():
                rounds.append(measure(args, folder, way, n))
    print(table(found), end="")
    return 0


def measure(args: argparse.Namespace, folder: str, way: str, n_processes: int) -> list[float]:
    """Return the steps a second of each of some processes that start together."""
    command = [sys.executable, __file__, "--child", folder, f"--seconds={args.seconds}", f"--encoder={args.encoder}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    started = [
        subprocess.Popen(command, env=environment | WAYS[way], stdout=subprocess.PIPE, text=True)
        for _ in range(n_processes)
    ]
    return [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]


def steps_a_second(encoder_name: str, seconds: float, folder: str) -> float:
    """Fit again and again for so many seconds, and return the steps a second of all fits but the first."""
    import torch
    from engine_setup import Preparation, prepare
    from engine_work import WORKS
    from roofline import tokenized

    from finetune_alf.compute import ComputeSpec, resolve
    from finetune_alf.compute.cores import usable_cores
    from finetune_alf.data.sample import load_sample
    from finetune_alf.encoder.load import load_encoder
    from finetune_alf.train.fit import fit
    from finetune_alf.train.parts import TaskSplits

    torch.set_num_threads(usable_cores())
    work = next(work for work in WORKS if work.name == "mini")
    with tempfile.TemporaryDirectory(dir=folder) as own:
        prepared = prepare(Preparation(encoder=encoder_name, mode="quick", works=(work.name,), data=None, root=own))
        encoder = load_encoder(prepared.encoder, n_labels=2)
        texts = load_sample(Path(prepared.texts[work.name].sample)).splits["train"]
    split = tokenized(encoder, texts.texts[: work.batch], texts.labels[: work.batch], work.max_tokens)
    recipe = work.recipe().model_copy(update={"epochs": N_STEPS})
    precision = resolve(ComputeSpec(device="cpu")).precision

    def once() -> None:
        fit(encoder, TaskSplits(split, split, split), recipe, 0, precision=precision)

    once()
    n_fits, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        once()
        n_fits += 1
    return n_fits * N_STEPS / elapsed


def table(found: Steps) -> str:
    """Return the page: each way, alone and beside a second process."""
    loop = next(iter(WAYS))
    lines = ["| processes | threads wait | steps/s of each, median | of a loop's |", "|---:|---|---|---:|"]
    for (way, n), rounds in found.items():
        each = ", ".join(f"{median(values):.2f}" for values in zip(*map(sorted, rounds), strict=True))
        ratio = median(sum(own) / sum(other) for own, other in zip(rounds, found[loop, n], strict=True))
        lines.append(f"| {n} | {way} | {each} | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
