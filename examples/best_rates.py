"""Read a study's best rates out of its results: best_rates.py FOLDER STUDY."""

import sys
from pathlib import Path

from finetune_alf import Paths
from finetune_alf.study.records import best_trial, read_trials

trials = read_trials(Paths(Path(sys.argv[1])).study_results(sys.argv[2]) / "trials.jsonl")
best = best_trial(trials)
print(f"{len(trials)} trials, best {best.number}: {best.score:.3f} on the validation split, not confirmed yet")
for address, rate in best.rates.items():
    print(f"{address:<12}{rate:g}", "frozen" if rate == 0 else "")
