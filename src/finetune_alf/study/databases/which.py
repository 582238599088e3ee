"""Which database a study has."""

from collections.abc import Iterator, Mapping
from typing import Any

from finetune_alf.paths import Paths
from finetune_alf.study.databases.database import KnownStudy, StudyDatabase
from finetune_alf.study.databases.sqlite import SqliteDatabase
from finetune_alf.study.server import StudyServer


def study_database(
    paths: Paths, name: str, identity: Mapping[str, Any], server: StudyServer | None = None
) -> StudyDatabase:
    """Return the database of the study with this name and identity: on a server, or a file in the project's folder."""
    if server is None:
        return SqliteDatabase(paths.studies, name, identity)
    from finetune_alf.study.databases.postgres import PostgresDatabase

    return PostgresDatabase(server, name, identity, paths.command("study", name))


def known_studies(paths: Paths, name: str, server: StudyServer | None = None) -> Iterator[KnownStudy]:
    """Yield the studies of a name that are there, under all identities, the one that was written last first."""
    return study_database(paths, name, {}, server).of_this_name()
