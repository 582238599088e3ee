"""Compare training curves of our engine and transformers' Trainer over many seeds.

    python benchmarks/curves.py --json curves.json --table curves.md    about twenty minutes on one core
    python benchmarks/curves.py --json curves.json --minutes 8          stops in time; run it again to resume
    python benchmarks/curves.py --read curves.json                      the page of a finished run

The environment variable ALF_DATA names a folder with sst2/train.csv; without it the packaged film reviews take its
place. Nothing is timed. README.md explains the page; the criterion is in `curves_summary.py`.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from curves_fits import Setup, set_up
from curves_records import ARMS, PAIRED, SAME, SEEDED, Arm
from curves_summary import summarise
from curves_table import table
from engine_machine import cpu_name
from transformers.utils import logging as transformers_log

from finetune_alf.files import write_text
from finetune_alf.json_files import read_json, write_json
from finetune_alf.seeds import child_seed

N_SEEDS = {"full": 10, "tiny": 3}
MAX_SEEDS = 10
"""Twenty fits can be divided in 184,756 ways, and twenty pairs have 2**20 signs: the tests enumerate all of them."""


def main() -> int:
    args = _arguments()
    if args.read:
        print(table(read_json(args.read)), end="")
        return 0
    transformers_log.set_verbosity_error()
    transformers_log.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        document = run(args, set_up(args.mode, os.environ.get("ALF_DATA"), Path(folder)))
    text = table(document)
    if args.table and "summary" in document:
        write_text(args.table, text)
    print(text, end="")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", dest="mode", action="store_const", const="tiny", help="for tests: a tiny encoder")
    parser.set_defaults(mode="full")
    parser.add_argument("--seeds", type=int, choices=range(2, MAX_SEEDS + 1), metavar="N", help="seeds of each arm")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no further fit after this time")
    parser.add_argument(
        "--json", type=Path, help="write all numbers here after every fit; fits in the file are not repeated"
    )
    parser.add_argument("--table", type=Path, help="write the Markdown page here, once all fits are done")
    parser.add_argument("--read", type=Path, metavar="JSON", help="print the page of this file, without a run")
    return parser.parse_args()


def run(args: argparse.Namespace, setup: Setup) -> dict[str, Any]:
    """Run the fits that the document lacks, as far as time allows. Returns the document."""
    started = time.monotonic()
    planned = list(_planned(args.seeds or N_SEEDS[args.mode]))
    document = _load_or_start(args, setup, len(planned))
    done = {(fit["arm"], fit["seed"]) for fit in document["fits"]}
    for arm, seed in planned:
        if (arm, seed) in done:
            continue
        if time.monotonic() - started > 60 * args.minutes:
            return document
        document["fits"].append(setup.fit(arm, seed).model_dump(mode="json"))
        _save(args, document)
        print(f"{len(document['fits'])} of {len(planned)}: {ARMS[arm]}, seed {seed}", file=sys.stderr, flush=True)
    document["summary"] = summarise(document)
    _save(args, document)
    return document


def _planned(n_seeds: int) -> Iterator[tuple[Arm, int]]:
    """Yield all fits, one seed of each arm in turn. Only pairs share seeds; there are twice as many pairs as seeds."""
    yield from ((arm, child_seed(0, "same batches")) for arm in SAME)
    yield from ((arm, child_seed(0, arm, number)) for number, arm in itertools.product(range(n_seeds), SEEDED))
    yield from ((arm, child_seed(0, "paired", number)) for number, arm in itertools.product(range(2 * n_seeds), PAIRED))


def _load_or_start(args: argparse.Namespace, setup: Setup, n_fits: int) -> dict[str, Any]:
    """Return the existing document, or an empty one; exit where the existing one is of another work."""
    new: dict[str, Any] = {"work": _describe(setup), "n_seeds": args.seeds or N_SEEDS[args.mode], "n_fits": n_fits}
    if not (args.json and args.json.exists()):
        return new | {"fits": []}
    old: dict[str, Any] = read_json(args.json)
    differs = [name for name in new["work"] if old["work"].get(name) != new["work"][name]]
    if differs or old["n_seeds"] != new["n_seeds"]:
        sys.exit(
            f"{args.json}: has fits of another work: {', '.join(differs) or 'the number of seeds'} differs."
            " Name another file."
        )
    return new | {"fits": old["fits"]}


def _describe(setup: Setup) -> dict[str, Any]:
    work, features = setup.work, setup.trainer.features
    return {
        "title": work.title,
        "encoder": setup.encoder.identity(),
        "sample": setup.digest,
        "n_train": len(features["train"]),
        "n_validation": len(features["validation"]),
        "batch": work.batch,
        "epochs": work.epochs,
        "max_tokens": work.max_tokens,
        "rates": dict(setup.rates),
        "cpu": cpu_name(),
        "versions": {name: metadata.version(name) for name in ("finetune-alf", "torch", "transformers", "accelerate")},
    }


def _save(args: argparse.Namespace, document: dict[str, Any]) -> None:
    if args.json:
        write_json(args.json, document)


if __name__ == "__main__":
    sys.exit(main())
