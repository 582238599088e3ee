"""What DVC shows of a study: flat numbers for `dvc metrics`, and rows for `dvc plots`."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune_alf.files import write_text
from finetune_alf.folders import replace_folder
from finetune_alf.json_files import write_jsonl, write_plain_json
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import BASELINE, PRIMARY
from finetune_alf.report.numbers import rate as in_words
from finetune_alf.study.documents import LayerImportance
from finetune_alf.study.records import TrialRecord, baseline_trial, best_trial

Row = dict[str, Any]

N_CURVES = 3
"""So many of the best trials have learning curves, beside the baseline."""


def write_numbers(path: Path, numbers: Mapping[str, float | None]) -> None:
    """Write the numbers that there are, as `dvc metrics` reads them; equal scores have no difference of 2e-17."""
    write_plain_json(path, {name: round(number, 12) for name, number in numbers.items() if number is not None})


def write_study_files(paths: Paths, name: str, records: Sequence[TrialRecord], baseline: LayerRates) -> None:
    """Write what DVC shows of a search."""
    best = best_trial(records)
    write_numbers(paths.summary("study", name), {"trials": len(records), "validation": best.score if best else None})
    write_plain_json(paths.plot("history", name), list(history_rows(records)))
    write_plain_json(paths.plot("curves", name), list(curve_rows(records, baseline)))


def history_rows(records: Sequence[TrialRecord]) -> Iterator[Row]:
    """Yield the score of each trial, None where it has none, and the best one so far."""
    best: float | None = None
    for record in records:
        if record.score is not None:
            best = record.score if best is None else max(best, record.score)
        yield {"trial": record.number, "score": record.score, "best": best}


def curve_rows(records: Sequence[TrialRecord], baseline: LayerRates) -> Iterator[Row]:
    """Yield the epochs of the best trials, and of the first one with the baseline's rates."""
    scored = (record for record in records if record.score is not None)
    best = heapq.nsmallest(N_CURVES, scored, key=lambda record: (-(record.score or 0.0), record.number))
    shown = {f"rank {rank}": record for rank, record in enumerate(best, start=1)}
    if plain := baseline_trial(records, baseline):
        shown[BASELINE] = plain
    for fit, record in shown.items():
        for epoch in record.result.epochs if record.result else ():
            yield {
                "fit": fit,
                "trial": record.number,
                "epoch": epoch.epoch + 1,
                "train_loss": epoch.train_loss,
                "validation_loss": epoch.validation_loss,
                "validation_score": epoch.score,
            }


def importance_rows(document: LayerImportance) -> Iterator[Row]:
    """Yield the share of each address by each evaluator; one row without a share where nothing was estimated."""
    for evaluator, shares in document.evaluators.items():
        for address, share in shares.items():
            yield {
                "evaluator": evaluator,
                "address": address,
                "share": share.mean,
                "low": share.low,
                "high": share.high,
                "shuffled_high": share.shuffled_high,
            }
    if not document.evaluators:
        yield {"evaluator": "not estimated", "address": "none", "share": None}


def write_register_files(paths: Paths, lock: LockDocument, fits: Sequence[Row]) -> None:
    """Write what DVC shows of a registration, and its folder: a file of each registered schedule, an artifact of DVC.

    The lines of its fits lie there too, for the runs in MLflow of another machine.
    """
    with replace_folder(paths.artifacts(lock.study)) as folder:
        for alias, one in lock.schedules.items():
            write_text(folder / f"{alias}.json", one.schedule.to_json())
        write_jsonl(folder / paths.registration_fits(lock.study).name, fits)
    write_numbers(paths.summary("register", lock.study), register_numbers(lock))
    write_plain_json(paths.plot("schedules", lock.study), list(schedule_rows(lock)))


def register_numbers(lock: LockDocument) -> dict[str, float | None]:
    """Return the confirmed score of the first schedule and of the baseline, and their difference with its interval."""
    candidate, baseline = lock.candidate(PRIMARY), lock.references and lock.references.baseline
    found = candidate.from_baseline if candidate else None
    return {
        PRIMARY: candidate.mean if candidate else None,
        BASELINE: baseline.mean if baseline else None,
        "difference": found.mean if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
    }


def schedule_rows(lock: LockDocument) -> Iterator[Row]:
    """Yield the rate at each address of the baseline and of each registered schedule, as a number and as text.

    Where the baseline diverged and nothing is registered there is one row without a rate.
    """
    baseline = lock.references and lock.references.baseline
    schedules: dict[str, LayerRates] = {BASELINE: baseline.rates} if baseline else {}
    schedules |= {alias: one.schedule.rates for alias, one in lock.schedules.items()}
    for schedule, rates in schedules.items():
        for address, rate in rates.items():
            yield {"schedule": schedule, "address": str(address), "rate": rate, "shown": in_words(rate)}
    if not schedules:
        yield {"schedule": "none", "address": "none", "rate": None, "shown": ""}
