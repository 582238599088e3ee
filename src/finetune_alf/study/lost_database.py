"""A study that has results and no database: it begins anew, with a warning."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune_alf.checksums import digest
from finetune_alf.errors import AlfError
from finetune_alf.json_files import read_jsonl
from finetune_alf.study.databases import StudyDatabase
from finetune_alf.study.records import read_study

logger = logging.getLogger(__name__)


def warn_of_lost_database(database: StudyDatabase, results: Path, identity: Mapping[str, Any]) -> None:
    """Log a warning where the study's folder of results has trials of this very study, and no database has them."""
    trials = results / "trials.jsonl"
    if not trials.exists() or database.exists():
        return
    try:
        stored, n_trials = read_study(results), len(read_jsonl(trials))
    except AlfError:
        return  # results that cannot be read are replaced at the end
    if stored.digest == digest(identity):
        logger.warning(
            "studies.%s: %s is missing, though %s has %d trials of this study: it begins anew, and its results are "
            "replaced when it ends. To keep them, stop it and restore the database from a backup: a database cannot be "
            "made of results.",
            database.name,
            database.place,
            trials,
            n_trials,
        )
