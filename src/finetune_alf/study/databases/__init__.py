"""Where the tables of a study are: a SQLite file of the project, or a PostgreSQL server."""

from finetune_alf.study.databases.database import KnownStudy, StudyDatabase
from finetune_alf.study.databases.which import known_studies, study_database

__all__ = ["KnownStudy", "StudyDatabase", "known_studies", "study_database"]
