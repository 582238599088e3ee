"""Whether our engine trains as Hugging Face's Trainer does: curves over many seeds, beside what seeds alone do.

    python benchmarks/curves.py --json curves.json --table curves.md    some twenty minutes on one core
    python benchmarks/curves.py --json curves.json --minutes 8          stops in time; the same command goes on
    python benchmarks/curves.py --read curves.json                      the page of a run that has ended

The environment variable ALF_DATA names a folder with sst2/train.csv; without it the packaged film reviews take its
place. Nothing is timed. README.md says how to read the page; `curves_summary.py` has the criterion.
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

from curves_fits import Ground, lay_ground
from curves_records import ARMS, PAIRED, SAME, SEEDED, Arm
from curves_summary import summarise
from curves_table import table
from engine_machine import cpu_name
from transformers.utils import logging as transformers_log

from finetune_alf.files import read_json, write_json, write_text
from finetune_alf.seeds import child_seed

N_SEEDS = {"full": 10, "tiny": 3}
MOST_SEEDS = 10
"""Twenty fits can be shared out in 184,756 ways, and twenty pairs have 2**20 signs: the tests count them all."""


def main() -> int:
    asked = _arguments()
    if asked.read:
        print(table(read_json(asked.read)), end="")
        return 0
    transformers_log.set_verbosity_error()
    transformers_log.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        document = run(asked, lay_ground(asked.mode, os.environ.get("ALF_DATA"), Path(folder)))
    text = table(document)
    if asked.table and "summary" in document:
        write_text(asked.table, text)
    print(text, end="")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", dest="mode", action="store_const", const="tiny", help="for tests: a tiny encoder")
    parser.set_defaults(mode="full")
    parser.add_argument("--seeds", type=int, choices=range(2, MOST_SEEDS + 1), metavar="N", help="of each arm")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="when to stop beginning fits")
    parser.add_argument(
        "--json", type=Path, help="where all numbers go, after every fit; what is there is not repeated"
    )
    parser.add_argument("--table", type=Path, help="where the Markdown goes, once all fits are done")
    parser.add_argument("--read", type=Path, metavar="JSON", help="print the page of this file, run nothing")
    return parser.parse_args()


def run(asked: argparse.Namespace, ground: Ground) -> dict[str, Any]:
    """Do the fits that the document lacks, as far as the time goes. Returns the document."""
    began = time.monotonic()
    wanted = list(_wanted(asked.seeds or N_SEEDS[asked.mode]))
    document = _begun(asked, ground, len(wanted))
    done = {(fit["arm"], fit["seed"]) for fit in document["fits"]}
    for arm, seed in wanted:
        if (arm, seed) in done:
            continue
        if time.monotonic() - began > 60 * asked.minutes:
            return document
        document["fits"].append(ground.fit(arm, seed).model_dump(mode="json"))
        _keep(asked, document)
        print(f"{len(document['fits'])} of {len(wanted)}: {ARMS[arm]}, seed {seed}", file=sys.stderr, flush=True)
    document["summary"] = summarise(document)
    _keep(asked, document)
    return document


def _wanted(n_seeds: int) -> Iterator[tuple[Arm, int]]:
    """List all fits, a seed of each arm in turn. Only pairs share seeds; there are twice as many as seeds of an arm."""
    yield from ((arm, child_seed(0, "same batches")) for arm in SAME)
    yield from ((arm, child_seed(0, arm, number)) for number, arm in itertools.product(range(n_seeds), SEEDED))
    yield from ((arm, child_seed(0, "paired", number)) for number, arm in itertools.product(range(2 * n_seeds), PAIRED))


def _begun(asked: argparse.Namespace, ground: Ground, n_fits: int) -> dict[str, Any]:
    """Return what there is, or an empty document; end the run where what there is differs in more than its fits."""
    new: dict[str, Any] = {"work": _describe(ground), "n_seeds": asked.seeds or N_SEEDS[asked.mode], "n_fits": n_fits}
    if not (asked.json and asked.json.exists()):
        return new | {"fits": []}
    old: dict[str, Any] = read_json(asked.json)
    differs = [name for name in new["work"] if old["work"].get(name) != new["work"][name]]
    if differs or old["n_seeds"] != new["n_seeds"]:
        sys.exit(
            f"{asked.json}: must hold fits of the same work, but {', '.join(differs) or 'the number of seeds'} differs."
            " Name another file."
        )
    return new | {"fits": old["fits"]}


def _describe(ground: Ground) -> dict[str, Any]:
    work, features = ground.work, ground.trainer.features
    return {
        "title": work.title,
        "encoder": ground.encoder.identity(),
        "sample": ground.digest,
        "n_train": len(features["train"]),
        "n_validation": len(features["validation"]),
        "batch": work.batch,
        "epochs": work.epochs,
        "max_tokens": work.max_tokens,
        "rates": dict(ground.rates),
        "cpu": cpu_name(),
        "versions": {name: metadata.version(name) for name in ("finetune-alf", "torch", "transformers", "accelerate")},
    }


def _keep(asked: argparse.Namespace, document: dict[str, Any]) -> None:
    if asked.json:
        write_json(asked.json, document)


if __name__ == "__main__":
    sys.exit(main())
