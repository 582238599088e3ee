"""Schedules: learning rates that a study found, as a document to pull, verify and apply.

`schedule.py` has the document and its strict reader, `published.py` the six schedules of the thesis, `registry.py` the
registered models of an MLflow store, `pull.py` one function for all three. Only the registry needs MLflow.
"""

from finetune_alf.schedules.provenance import ConfirmedScore, Provenance
from finetune_alf.schedules.schedule import Schedule

__all__ = ["ConfirmedScore", "Provenance", "Schedule"]
