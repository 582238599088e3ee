"""The whole page: a summary, a part for each study, and the parts of the experiments."""

from collections.abc import Iterator, Mapping

from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import PLAIN, PRIMARY, SchemeDifferences
from finetune_alf.report.compared import differences_in_short, optimism_in_short
from finetune_alf.report.contents import Contents
from finetune_alf.report.importance import agreement, first_place, importance_question
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import counted, estimate, score
from finetune_alf.report.provenance import document_provenance
from finetune_alf.report.search import confirmed, words
from finetune_alf.report.section import Section, plain
from finetune_alf.report.study_sections import study_sections
from finetune_alf.report.use import use_in_short
from finetune_alf.study.documents import LayerImportance

Tested = Mapping[str, Mapping[str, SchemeDifferences]]
"""Study -> scheme -> its differences on the test texts of the study's own sample."""


def page(title: str, contents: Contents, folder: str = "results", server: str | None = None) -> Section:
    """Return the page: its Markdown and all of its pictures.

    `server` is the address of MLflow's pages, where there is one.
    """
    section = Section()
    section.heading(1, f"{plain(title)}")
    section.text(lead(folder))
    section.heading(2, "In short")
    section.items(in_short(contents))
    for results in contents.studies:
        section.append(study_part(results, contents, server))
    for document in (document for part in contents.parts for document in part.documents):
        section.heading(2, document.title)
        section.append(document.section)
        if (provenance := document_provenance(document, server)).blocks:
            section.heading(3, "Provenance")
            section.append(provenance)
    return section


def lead(folder: str = "results", *, has_example: bool = True) -> str:
    """Return the first lines of the page: what it is about, and how to read its numbers, with or without an example."""
    example = (
        ": +.017 [-.023, +.057] is .017 higher, and on other texts it may be anything from .023 lower to .057 higher"
    )
    return (
        "How fast should each layer of a pre-trained encoder learn? Learning rates by layer: searched, explained, "
        f"confirmed and tried elsewhere. Every number comes from the files under `{folder}/`. Square brackets hold "
        f"95 % intervals{example if has_example else ''}."
    )


def in_short(contents: Contents) -> list[str]:
    """Return the lines of the summary: what to use, then what each study and each experiment found."""
    tested = {study: schemes for part in contents.parts for study, schemes in part.tested.items()}
    lines = [_to_use(results, results.lock, tested) for results in contents.studies if results.lock]
    lines += [line for results in contents.studies for line in _in_short(results, tested)]
    return lines + [line for part in contents.parts for line in part.in_short]


def study_part(results: StudyResults, contents: Contents, server: str | None = None) -> Section:
    """Return the part about a study, with what the experiments found of it."""
    section = Section()
    section.heading(2, f"Study `{results.name}`")
    for each in study_sections(results, contents.views[results.name], server):
        section.heading(3, each.title)
        section.blocks += (view.figure(results.name) for view in each.views)
        section.blocks += each.blocks
        section.text(f"Not run yet: `{each.command}`." if each.command else None)
    return section


def _to_use(results: StudyResults, lock: LockDocument, tested: Tested) -> str:
    study = results.search.settings if results.search else None
    return use_in_short(results.name, lock, tested.get(results.name, {}), study)


def _in_short(results: StudyResults, tested: Tested) -> Iterator[str]:
    if results.lock:
        sample = results.search.settings.sample.name if results.search else "SAMPLE"
        yield from differences_in_short(results.name, results.lock)
        yield from optimism_in_short(
            results.name, results.lock, sample, is_tested=PRIMARY in tested.get(results.name, {})
        )
    best = results.search.best if results.search else None
    if results.search and best:
        again = confirmed(results, best)
        metric = words(results.search.settings.metric)
        which = f", {PLAIN}," if best.rates == results.search.settings.baseline_rates else ""
        not_again = "not confirmed itself" if results.lock else "not confirmed yet"
        kept = f"confirmed on fresh seeds and texts at {estimate(again)}" if again else not_again
        yield (
            f"`{results.name}`: {counted(len(results.search.trials), 'trial')}; "
            f"the best{which} reached a validation {metric} of {score(best.score)}, {kept}."
        )
    elif results.search:
        yield f"`{results.name}`: {counted(len(results.search.trials), 'trial')}, none with a score."
    if results.importance:
        yield from _importance_in_short(results.name, results.importance)
    if not (results.search or results.lock or results.importance):
        yield f"**`{results.name}`**: no results yet."


def _importance_in_short(name: str, record: LayerImportance) -> Iterator[str]:
    evaluator = next(iter(record.evaluators), None)
    if evaluator and not record.is_of_one:
        found = f"{importance_question(name, record)} {first_place(record, evaluator)}"
        yield " ".join(filter(None, (found, agreement(record))))
