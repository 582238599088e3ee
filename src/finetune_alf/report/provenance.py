"""Where results come from: digests, and the runs and the versions in MLflow."""

from collections.abc import Iterable, Iterator

from finetune_alf.register.lock import LockDocument
from finetune_alf.report.blocks import Link
from finetune_alf.report.load import StudyResults
from finetune_alf.report.part import DocumentPart
from finetune_alf.report.section import Section
from finetune_alf.study.identity import study_key
from finetune_alf.tracking.known_runs import KEY_TAG
from finetune_alf.tracking.links import run_link, version_link


def provenance_section(results: StudyResults, server: str | None = None) -> Section:
    """Return digests, and what MLflow has; `server` is the address of its pages, None where there is no server."""
    section, digests = Section(), dict(_digests(results))
    if digests:
        section.table(("what", "digest"), [(what, f"`{own}`") for what, own in digests.items()], "**Digests**")
    section.append(_in_mlflow(_of_study(results, server)))
    return section


def document_provenance(document: DocumentPart, server: str | None = None) -> Section:
    """Return what MLflow has of a document; empty where nothing is known."""
    versions = (_version(server, model, version) for model, version in document.versions)
    return _in_mlflow([*map(_run_of, document.runs), *versions])


def _in_mlflow(lines: Iterable[Link]) -> Section:
    section, known = Section(), tuple(lines)
    if known:
        section.text(
            "In the MLflow store where this was run; a filter is for the search of MLflow's pages and of `search_runs`:"
        )
        section.links(known)
    return section


def _digests(results: StudyResults) -> Iterator[tuple[str, str]]:
    if results.search:
        yield "study", results.search.settings.digest
        yield "sample", results.search.settings.sample.digest
    for alias, one in results.lock.schedules.items() if results.lock else ():
        yield f"schedule `{alias}`", one.digest


def _of_study(results: StudyResults, server: str | None) -> Iterator[Link]:
    if results.search:
        yield _run_of(study_key(results.name, results.search.settings.digest))
    if results.lock:
        yield from _of_registration(results.lock, server)


def _run_of(key: str) -> Link:
    """Return how a run is found by its key: documents know no ids, since runs are written after them."""
    return Link(f"the run with `{run_filter(key)}`")


def run_filter(key: str) -> str:
    """Return MLflow's filter for the run of a key in any project."""
    return f"tags.\"{KEY_TAG}\" LIKE '%/{key}'"


def _version(server: str | None, model: str, version: int, alias: str = "") -> Link:
    link = version_link(server, model, version) if server else None
    return Link(f"version {version} of `{model}`{f', `{alias}`' if alias else ''}", link)


def _of_registration(lock: LockDocument, server: str | None) -> Iterator[Link]:
    for run_id in dict.fromkeys(one.run_id for one in lock.schedules.values()):
        yield Link(f"run `{run_id}` of the registration", run_link(server, run_id) if server else None)
    for alias, one in lock.schedules.items():
        yield _version(server, lock.model, one.version, alias)
