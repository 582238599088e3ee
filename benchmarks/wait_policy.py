"""Compare OpenMP's wait policies where two processes want the same cores: active, in a loop, or passive, asleep.

    python benchmarks/wait_policy.py         some minutes

MiniLM on the packaged film reviews, nothing frozen, with a thread for each core in every process. Fits of twelve steps
follow each other for a while; a number is the steps a second of a process, its first fit left out. Each round has one
process alone and two side by side, under both policies; a ratio is the median of those within a round.
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

POLICIES = {"active": {}, "passive": {"OMP_WAIT_POLICY": "passive"}}
"""What is set in the environment of a process; `wait_passively_where_busy` sets it where a machine is busy."""

WORK, N_STEPS = "mini", 12
"""The texts, and the steps of a fit."""

Steps = dict[tuple[str, int], list[list[float]]]
"""Steps a second of each process, by policy and number of processes, round after round."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--encoder", choices=["minilm", "tiny"], default="minilm")
    parser.add_argument("--child", metavar="FILE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(steps_a_second(args.seconds, Path(args.child))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepared_once(args.encoder, Path(folder))
        found: Steps = {(policy, n): [] for n in (1, 2) for policy in POLICIES}
        for _ in range(args.rounds):
            for (policy, n), rounds in found.items():
                rounds.append(measure(args.seconds, prepared, policy, n))
    print(table(found), end="")
    return 0


def prepared_once(encoder: str, folder: Path) -> Path:
    """Prepare the encoder and the texts of all processes, and return the file that says where they are."""
    from engine_setup import Preparation, prepare

    task = Preparation(encoder=encoder, mode="quick", works=(WORK,), data=None, root=str(folder))
    path = folder / "prepared.json"
    path.write_text(prepare(task).model_dump_json())
    return path


def measure(seconds: float, prepared: Path, policy: str, n_processes: int) -> list[float]:
    """Return the steps a second of each of some processes that start together."""
    command = [sys.executable, __file__, "--child", str(prepared), f"--seconds={seconds}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    started = [
        subprocess.Popen(command, env=environment | POLICIES[policy], stdout=subprocess.PIPE, text=True)
        for _ in range(n_processes)
    ]
    return [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]


def steps_a_second(seconds: float, prepared: Path) -> float:
    """Fit again and again for so many seconds, and return the steps a second of all fits but the first."""
    import torch
    from engine_records import Prepared
    from engine_work import WORKS
    from roofline import tokenized

    from finetune_alf.compute import ComputeSpec, resolve
    from finetune_alf.compute.cores import usable_cores
    from finetune_alf.data.sample import load_sample
    from finetune_alf.encoder.load import load_encoder
    from finetune_alf.train.fit import fit
    from finetune_alf.train.parts import TaskSplits

    torch.set_num_threads(usable_cores())
    work, found = next(work for work in WORKS if work.name == WORK), Prepared.model_validate_json(prepared.read_text())
    encoder = load_encoder(found.encoder, n_labels=2)
    texts = load_sample(Path(found.texts[WORK].sample)).splits["train"]
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
    """Return the page: each policy, alone and beside a second process."""
    active = next(iter(POLICIES))
    lines = ["| processes | wait policy | steps/s of each, median | of active's |", "|---:|---|---|---:|"]
    for (policy, n), rounds in found.items():
        each = ", ".join(f"{median(values):.2f}" for values in zip(*map(sorted, rounds), strict=True))
        ratio = median(sum(own) / sum(other) for own, other in zip(rounds, found[active, n], strict=True))
        lines.append(f"| {n} | {policy} | {each} | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
