"""The notes on a study and on its best trials in its database, as optuna-dashboard shows them."""

import heapq
import re
from collections.abc import Mapping, Sequence
from typing import Any

from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.rates import HEAD
from finetune_alf.score_text import score_text
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.spec import StudySpec

MAX_NOTE = 2045
"""The most characters of a note that optuna-dashboard keeps in one attribute."""

N_NOTED = 3
"""So many of the best trials have a note."""

_RANK = "**Rank "
"""How a note on a trial begins; one that begins otherwise is the user's own."""


def study_note(name: str, spec: StudySpec, sample: SampleIdentity, encoder: EncoderIdentity) -> str:
    """Return what a reader of the database without its results would want to know, in Markdown."""
    return (
        f"**{name}**: learning rates of {encoder.name} (`{encoder.identity}`) on the sample {sample.name} "
        f"(`{sample.digest[:12]}`), scored by {spec.score_name} on the validation split. A rate of 0 freezes."
    )


def trial_notes(records: Sequence[TrialRecord], metric: str) -> dict[int, str]:
    """Return notes on the best trials, by number: rank, score, and the addresses that are frozen."""
    scored = ((record.score, record) for record in records if record.score is not None)
    best = heapq.nsmallest(N_NOTED, scored, key=lambda each: (-each[0], each[1].number))
    return {
        record.number: f"{_RANK}{rank} of {len(records)}**: {metric} {score_text(score)} on the validation split. "
        f"{_frozen(record)} It is the score of one fit: `finetune-alf register` confirms the best trials over seeds."
        for rank, (score, record) in enumerate(best, start=1)
    }


def dashboard_note(text: str) -> dict[str, Any]:
    """Return a note on a study as optuna-dashboard keeps it: a version, and the text."""
    return {"dashboard:note_ver": 1, "dashboard:note_str:0": text[:MAX_NOTE]} if text else {}


def noted_trials(attributes: Mapping[str, Any]) -> set[int]:
    """Return the ids of the trials that have a note among a study's attributes, or had one."""
    found = (re.fullmatch(r"dashboard:(\d+):note_ver", key) for key in attributes)
    return {int(match[1]) for match in found if match}


def changed_trial_note(attributes: Mapping[str, Any], trial_id: int, text: str) -> dict[str, Any]:
    """Return what changes among a study's attributes for a note on a trial; nothing where the user wrote one."""
    version, place = f"dashboard:{trial_id}:note_ver", f"dashboard:{trial_id}:note_str:0"
    before = attributes.get(place, "")
    if before == text[:MAX_NOTE] or (before and not before.startswith(_RANK)):
        return {}
    return {version: int(attributes.get(version, 0)) + 1, place: text[:MAX_NOTE]}


def _frozen(record: TrialRecord) -> str:
    frozen = [address for address, rate in record.rates.items() if rate == 0 and address != HEAD]
    return f"Frozen: {', '.join(frozen)}." if frozen else "Nothing is frozen."
