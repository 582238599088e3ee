"""The note on a study in its database, as optuna-dashboard shows it."""

from typing import Any

from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.study.spec import StudySpec

MAX_NOTE = 2045
"""The most characters of a note that optuna-dashboard keeps in one attribute."""


def study_note(name: str, spec: StudySpec, sample: SampleIdentity, encoder: EncoderIdentity) -> str:
    """Return what a reader of the database without its results would want to know, in Markdown."""
    return (
        f"**{name}**: learning rates of {encoder.name} (`{encoder.identity}`) on the sample {sample.name} "
        f"(`{sample.digest[:12]}`), scored by {spec.score_name} on the validation split. A rate of 0 freezes."
    )


def dashboard_note(text: str) -> dict[str, Any]:
    """Return a note as optuna-dashboard keeps it: a version, and the text."""
    return {"dashboard:note_ver": 1, "dashboard:note_str:0": text[:MAX_NOTE]} if text else {}
