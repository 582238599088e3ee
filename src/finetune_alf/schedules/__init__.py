"""Schedules: what a study found, as a record that anyone can pull, check and apply.

`schedule` has the record and its hardened reader, `published` the six of the thesis, `registry` the registered models
of an MLflow store, `pull` the one function over all three. Only the registry needs MLflow.
"""

from finetune_alf.schedules.schedule import ConfirmedScore, Provenance, Schedule

__all__ = ["ConfirmedScore", "Provenance", "Schedule"]
