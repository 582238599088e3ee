"""The whole page: a summary, a part for each study, and the parts of the experiments."""

from collections.abc import Iterator, Mapping, Sequence

from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import PRIMARY, SchemeDifferences
from finetune_alf.report.compared import differences_in_short, luck_in_short
from finetune_alf.report.importance import agreement, first_place, importance_section
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import counted, estimate, score
from finetune_alf.report.part import Part
from finetune_alf.report.registered import registered_section
from finetune_alf.report.search import confirmed, history_section, settings_section, words
from finetune_alf.report.section import Section, plain
from finetune_alf.report.use import use_in_short
from finetune_alf.study.documents import LayerImportance

Tested = Mapping[str, Mapping[str, SchemeDifferences]]
"""Study -> scheme -> its differences on the test texts of the study's own sample."""


def page(title: str, studies: Sequence[StudyResults], parts: Sequence[Part] = (), folder: str = "results") -> Section:
    """Return the page: its Markdown and all of its pictures; `parts` are those of the experiments."""
    section = Section()
    section.heading(1, f"{plain(title)}")
    section.text(
        "Learning rates by layer: searched, explained, confirmed and tried elsewhere. Every number comes from the "
        f"files under `{folder}/`. Square brackets hold 95 % intervals."
    )
    section.heading(2, "In short")
    tested = {study: schemes for part in parts for study, schemes in part.tested.items()}
    lines = [_to_use(results, results.lock, tested) for results in studies if results.lock]
    lines += [line for results in studies for line in _in_short(results, tested)]
    lines += [line for part in parts for line in part.in_short]
    section.items(lines)
    for results in studies:
        section.append(_study(results))
    for part in parts:
        section.append(part.section)
    return section


def _study(results: StudyResults) -> Section:
    section = Section()
    section.heading(2, f"Study `{results.name}`")
    section.heading(3, "What was run")
    section.append(settings_section(results.search) if results.search else _missing("study", results.name))
    if results.search:
        section.heading(3, "The search")
        section.append(history_section(results, results.search))
    section.heading(3, "Which layers matter")
    section.append(
        importance_section(results, results.importance) if results.importance else _missing("importance", results.name)
    )
    section.heading(3, "Registered schedules")
    section.append(registered_section(results, results.lock) if results.lock else _missing("register", results.name))
    return section


def _missing(stage: str, arguments: str) -> Section:
    section = Section()
    section.text(f"Not run yet: `finetune-alf {stage} {arguments}`.")
    return section


def _to_use(results: StudyResults, lock: LockDocument, tested: Tested) -> str:
    study = results.search.settings if results.search else None
    return use_in_short(results.name, lock, tested.get(results.name, {}), study)


def _in_short(results: StudyResults, tested: Tested) -> Iterator[str]:
    if results.lock:
        sample = results.search.settings.sample.name if results.search else "SAMPLE"
        yield from differences_in_short(results.name, results.lock)
        yield from luck_in_short(results.name, results.lock, sample, is_tested=PRIMARY in tested.get(results.name, {}))
    best = results.search.best if results.search else None
    if results.search and best:
        again = confirmed(results, best.number)
        metric = words(results.search.settings.metric)
        not_again = "not confirmed itself" if results.lock else "not confirmed yet"
        kept = f"confirmed on fresh seeds and texts at {estimate(again)}" if again else not_again
        yield (
            f"`{results.name}`: {counted(len(results.search.trials), 'trial')}; "
            f"the best reached a validation {metric} of {score(best.score)}, {kept}."
        )
    if results.importance:
        yield from _importance_in_short(results.name, results.importance)
    if not (results.search or results.lock or results.importance):
        yield f"**`{results.name}`**: no results yet."


def _importance_in_short(name: str, record: LayerImportance) -> Iterator[str]:
    if evaluator := next(iter(record.evaluators), None):
        yield " ".join(filter(None, (f"Importance in `{name}`: {first_place(record, evaluator)}", agreement(record))))
