"""Measure the time that a study spends outside its fits: proposing, recording, logging to MLflow.

    python benchmarks/overhead.py --trials 40            a fresh study of params.yaml, in a temporary folder
    python benchmarks/overhead.py --root . --study minilm    a finished study

Prints the fraction of the time between the first trial's start and the last one's end that is outside fits. A study
with several workers is refused, because its fits overlap.
"""

import argparse
import itertools
import json
import sys
import tempfile
from pathlib import Path

from finetune_alf.experiments.registry import load_params
from finetune_alf.json_files import read_json
from finetune_alf.paths import Paths
from finetune_alf.study.records import TrialRecord, read_trials

HERE = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a folder with a finished study; without it a new one is run")
    parser.add_argument("--study", default="minilm")
    parser.add_argument("--trials", type=int, default=40, help="trials of a new study")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    if args.root:
        numbers = overhead(args.root, args.study)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _run(Path(folder), args.study, args.trials)
            numbers = overhead(Path(folder), args.study)
    print(json.dumps(numbers, indent=1) if args.json else _sentence(numbers))
    return 0


def overhead(root: Path, study: str) -> dict[str, float]:
    """Return total seconds, seconds in fits, the fraction outside them, and the median gap between two trials."""
    folder = Paths(root).study_results(study)
    if read_json(folder / "study.json")["n_workers"] != 1:
        sys.exit("the study ran several fits at once: its overhead cannot be numbers from its results")
    records = [record for record in read_trials(folder / "trials.jsonl") if record.result and record.repeats is None]
    total_s = (records[-1].ended_ms - records[0].started_ms) / 1000
    fits_s = sum(record.result.seconds for record in records if record.result)
    return {
        "n_trials": len(records),
        "total_s": total_s,
        "fits_s": fits_s,
        "outside_frac": 1 - fits_s / total_s,
        "median_gap_s": _median_gap(records),
    }


def _median_gap(records: list[TrialRecord]) -> float:
    gaps = sorted(after.started_ms - before.ended_ms for before, after in itertools.pairwise(records))
    return gaps[len(gaps) // 2] / 1000 if gaps else 0.0


def _run(root: Path, study: str, n_trials: int) -> None:
    from finetune_alf.running.context import Context
    from finetune_alf.running.prepare import prepare
    from finetune_alf.running.study import study as run_study

    params = load_params(HERE / "params.yaml")
    spec = params.studies[study].model_copy(update={"n_trials": n_trials})
    ctx = Context(params.model_copy(update={"studies": {study: spec}}), Paths(root))
    prepare(ctx, spec.sample)
    run_study(ctx, study)


def _sentence(numbers: dict[str, float]) -> str:
    return (
        f"{numbers['n_trials']:.0f} trials in {numbers['total_s']:.1f} s, {numbers['fits_s']:.1f} s of them in fits: "
        f"{100 * numbers['outside_frac']:.2f} % outside; median gap {1000 * numbers['median_gap_s']:.0f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
