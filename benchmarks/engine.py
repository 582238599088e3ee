"""Compare the speed of our engine and its peers, at equal work.

    python benchmarks/engine.py --quick                    about twelve minutes on two quiet cores
    python benchmarks/engine.py --full --json engine.json --table engine.md
    python benchmarks/engine.py --read engine.json         the table of a finished run

Every peer runs every work in a process of its own, one after another, all peers of a repeat before the next repeat. The
environment variable ALF_DATA names a folder with imdb/train.parquet and sst2/train.csv; without it the packaged mini
corpus takes their place. README.md says how to read the table.
"""

import argparse
import datetime
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine_flops import fit_flops
from engine_records import PEERS, Peer, PeerResult, PeerTask, Prepared
from engine_summary import summarise
from engine_table import table
from engine_work import QUICK, WORKS, Work

from finetune_alf.files import write_text
from finetune_alf.json_files import write_json

HERE = Path(__file__).resolve().parent
REPEATS = {"quick": 3, "full": 3, "tiny": 1}
SPREAD_FITS = {"quick": 5, "full": 8, "tiny": 3}
ALLOCATORS = {"kept": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}, "default": {}}
"""Settings of the C library, which by default gives large blocks back to the system: each step faults them in anew."""

QUICK_MINUTES = 9.0
"""A quick run starts no further repeat after this time."""


def main() -> int:
    args = _arguments()
    if args.read:
        print(table(json.loads(args.read.read_text())), end="")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        document = Benchmark(args, Path(folder)).run()
    text = table(document)
    if args.table:
        write_text(args.table, text)
    print(text, end="")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_mutually_exclusive_group()
    for mode, help_text in (("quick", "the default"), ("full", "about an hour"), ("tiny", "for tests: a tiny encoder")):
        modes.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, help=help_text)
    parser.set_defaults(mode="quick")
    names = [work.name for work in WORKS]
    parser.add_argument("--work", nargs="+", choices=names, metavar="NAME", help=f"only these: {', '.join(names)}")
    parser.add_argument("--peer", nargs="+", choices=list(PEERS), metavar="PEER", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--repeats", type=int, help="how often each peer runs each work, at most")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of each peer")
    parser.add_argument(
        "--allocator", choices=list(ALLOCATORS), default="kept", help="of each peer: freed memory is kept, or not"
    )
    parser.add_argument("--device", default="cpu", help="cpu, or cuda:0")
    parser.add_argument("--encoder", choices=["minilm", "bert-base", "distilbert", "tiny"], help="shape of the encoder")
    parser.add_argument("--json", type=Path, help="write all numbers here, after every run")
    parser.add_argument("--table", type=Path, help="write the Markdown table here")
    parser.add_argument("--read", type=Path, metavar="JSON", help="print the table of this file, without a run")
    return parser.parse_args()


class Benchmark:
    """The runs of one call, and the document with their results."""

    def __init__(self, args: argparse.Namespace, root: Path) -> None:
        self.args, self.root, self.mode = args, root, args.mode
        self.started = time.monotonic()
        self.encoder = args.encoder or ("tiny" if self.mode == "tiny" else "minilm")
        self.works, self.skipped = _choose(args, os.environ.get("ALF_DATA"))
        self.document: dict[str, Any] = {
            "mode": self.mode,
            "encoder": self.encoder,
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "skipped": self.skipped,
            "allocator": args.allocator,
            "runs": [],
        }

    def run(self) -> dict[str, Any]:
        """Prepare, measure the machine, run all peers. Returns the document."""
        for name, reason in self.skipped.items():
            self._log(f"{name}: skipped, {reason}")
        self.ready = self._prepare()
        self.document["shape"] = self.ready.shape.model_dump()
        self.document["works"] = {work.name: self._describe(work) for work in self.works}
        self._measure_machine()
        for repeat, work in itertools.product(range(self.args.repeats or REPEATS[self.mode]), self.works):
            if repeat and not self._has_time(work):
                self._log(f"{work.name}: no time for repeat {repeat + 1}")
                continue
            for peer in self._peers(work, repeat):
                self._run_peer(work, peer, repeat)
        self._measure_machine()
        self._save()
        return self.document

    def _prepare(self) -> Prepared:
        self._log(f"preparing {', '.join(work.name for work in self.works)}")
        done = self._child(
            "prepare",
            encoder=self.encoder,
            mode=self.mode,
            works=[work.name for work in self.works],
            data=os.environ.get("ALF_DATA"),
            root=str(self.root),
        )
        return Prepared.model_validate_json(done)

    def _measure_machine(self) -> None:
        """Measure the matrix rates; the better one of two measurements counts."""
        found = json.loads(self._child("machine", device=self.args.device, n_threads=self.args.threads))
        before = self.document.get("machine", found)
        found |= {name: max(found[name], before[name]) for name in ("fp32", "bf16")}
        self.document["machine"] = found
        self._log(f"matrix products: {found['fp32'] / 1e9:.0f} GFLOP/s in fp32, {found['bf16'] / 1e9:.0f} in bf16")

    def _describe(self, work: Work) -> dict[str, Any]:
        sizes, texts, shape = work.sizes[self.mode], self.ready.texts[work.name], self.ready.shape
        vectors = work.vectors(self.mode, shape.n_layers)
        lengths = texts.train_lengths, texts.validation_lengths
        flops = [
            fit_flops(shape, rates, *lengths, work.epochs, frozen_dropout=work.frozen_dropout) for rates in vectors
        ]
        n_steps = work.epochs * -(-sizes.n_train // work.batch)
        return {
            "title": work.title,
            "exactness": work.exactness,
            "targets": (work.targets or {}).get(self.encoder) if self.mode != "tiny" else None,
            "n_train": sizes.n_train,
            "n_validation": sizes.n_validation,
            "n_trials": len(vectors),
            "epochs": work.epochs,
            "batch": work.batch,
            "max_tokens": work.max_tokens,
            "n_tokens": sum(map(sum, lengths)),
            "longest": max(map(max, lengths)),
            "nothing_frozen": not vectors[0].frozen,
            "rates": [dict(rates) for rates in vectors],
            "flops": [fit.total for fit in flops],
            "step_flops": flops[0].training / n_steps,
        }

    def _peers(self, work: Work, repeat: int) -> Iterator[Peer]:
        """Yield the peers of a repeat; the plain loop, the reference of the self-check, runs once."""
        peers: list[Peer] = self.args.peer or ["default", "tuned", "plain", "ours"]
        for peer in peers:
            if peer == "plain" and repeat:
                continue
            if peer == "padded" and work.frozen_dropout == "off":
                continue  # transformers' forward cannot start from frozen features
            yield peer

    def _run_peer(self, work: Work, peer: Peer, repeat: int) -> None:
        first = repeat == 0 and peer == "ours"
        args = PeerTask(
            work=work.name,
            mode=self.mode,
            peer=peer,
            repeat=repeat,
            encoder=self.ready.encoder,
            folder=self.ready.folder,
            n_layers=self.ready.shape.n_layers,
            texts=self.ready.texts[work.name],
            device=self.args.device,
            n_threads=self.args.threads,
            n_spread_seeds=SPREAD_FITS[self.mode] if first else 0,
            probe=first and work.frozen_dropout == "on",
        )
        done = PeerResult.model_validate_json(self._child("peer", **args.model_dump(mode="json")))
        self._check_equal_work(done)
        self.document["runs"].append(done.model_dump(mode="json"))
        self._save()
        self._log(
            f"{work.name}, {PEERS[peer]}, repeat {repeat + 1}: {done.wall_s / done.counts.n_trials:.2f} s a trial, "
            f"{done.peak_mib:.0f} MiB, {done.precision}"
        )

    def _check_equal_work(self, done: PeerResult) -> None:
        others = [run for run in self.document["runs"] if run["work"] == done.work]
        if others and others[0]["counts"] != done.counts.model_dump(mode="json"):
            sys.exit(
                f"{done.work}: the work differs: {others[0]['peer']} did {others[0]['counts']} and "
                f"{done.peer} did {done.counts.model_dump(mode='json')}"
            )

    def _has_time(self, work: Work) -> bool:
        """Return whether another repeat of a work fits into a quick run, given the time of its last one."""
        if self.mode != "quick" or self.args.repeats:
            return True
        mine = [run for run in self.document["runs"] if run["work"] == work.name and run["peer"] != "plain"]
        last = [run for run in mine if run["repeat"] == mine[-1]["repeat"]]
        needed: float = sum(run["wall_s"] + run["setup_s"] + 6 for run in last)  # 6: a process starts
        return time.monotonic() - self.started + needed < 60 * QUICK_MINUTES

    def _child(self, task: str, **args: Any) -> str:
        """Run a task in its own process; its output goes to a file, which is shown if it fails."""
        task_file, result_file, log = (self.root / name for name in ("task.json", "result.json", "log.txt"))
        task_file.write_text(json.dumps(args))
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        environment |= ALLOCATORS[self.args.allocator]
        with log.open("w") as help_text:
            command = [sys.executable, str(HERE / "engine_child.py"), task, str(task_file), str(result_file)]
            code = subprocess.run(command, stdout=help_text, stderr=help_text, env=environment, check=False).returncode
        if code:
            sys.exit(f"{task} {args.get('work', '')} {args.get('peer', '')} failed:\n{log.read_text()[-4000:]}")
        return result_file.read_text()

    def _save(self) -> None:
        self.document["seconds"] = time.monotonic() - self.started
        self.document["summary"] = summarise(self.document)
        if self.args.json:
            write_json(self.args.json, self.document)

    def _log(self, text: str) -> None:
        minutes, seconds = divmod(round(time.monotonic() - self.started), 60)
        print(f"[{minutes:02d}:{seconds:02d}] {text}", file=sys.stderr, flush=True)


def _choose(args: argparse.Namespace, data: str | None) -> tuple[list[Work], dict[str, str]]:
    """Return the works to run, and the reason why others are skipped."""
    everything = [work.name for work in WORKS]
    usual = list(QUICK) if args.mode == "quick" else everything
    peers = args.work or usual
    missing = {work.name: work for work in WORKS if work.name in peers and work.source != "mini" and not data}
    skipped = dict.fromkeys(missing, "ALF_DATA is not set to a folder with real texts")
    if missing and "mini" not in peers:
        peers = [*peers, "mini"]
    return [work for work in WORKS if work.name in peers and work.name not in skipped], skipped


if __name__ == "__main__":
    sys.exit(main())
