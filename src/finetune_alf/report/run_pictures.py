"""Which parent run of MLflow has which pictures of the page."""

from collections.abc import Iterator

from finetune_alf.report.contents import Contents
from finetune_alf.report.load import StudyResults
from finetune_alf.report.page import study_part
from finetune_alf.study.identity import study_key


def run_pictures(contents: Contents) -> dict[str, tuple[str, ...]]:
    """Return the file names of pictures by the key of the run, without the project.

    A study's are those of its search and of its registration; a document's are those of its runs.
    """
    sections = [(tuple(_runs_of(results)), study_part(results, contents)) for results in contents.studies]
    sections += [(document.runs, document.section) for part in contents.parts for document in part.documents]
    return {key: tuple(section.pictures) for keys, section in sections for key in keys}


def _runs_of(results: StudyResults) -> Iterator[str]:
    if results.search:
        yield study_key(results.name, results.search.settings.digest)
    if results.lock:
        yield f"register/{results.name}"
