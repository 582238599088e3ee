"""Stage `register`: confirm the top trials beside the baseline and the best single rate, register two in MLflow."""

from collections.abc import Iterator, Mapping, Sequence

from finetune_alf.documents import Estimate
from finetune_alf.figures.curves import learning_curves
from finetune_alf.register.candidates import (
    Candidate,
    choose_schedules,
    confirmed_candidates,
    rank_candidates,
    select_trials,
)
from finetune_alf.register.compare import references, with_differences
from finetune_alf.register.confirm import rates_to_confirm, trial_name
from finetune_alf.register.lock import LockDocument, locked_schedules, read_lock, register_schedules
from finetune_alf.register.version_tags import version_tags
from finetune_alf.report.compared import required
from finetune_alf.report.curves import curve_of
from finetune_alf.report.numbers import rate, signed_estimate
from finetune_alf.running.bench import Bench, open_bench
from finetune_alf.running.context import Context
from finetune_alf.running.dvc_files import write_register_files
from finetune_alf.running.parent_run import Runs, parent_run
from finetune_alf.running.registration_fits import RegistrationFits
from finetune_alf.running.study import trial_key
from finetune_alf.running.summary import ScoreRow, Summary, scores_summary
from finetune_alf.running.trial_schedule import trial_schedule
from finetune_alf.running.version_page import page_tags, version_description
from finetune_alf.schedules.names import model_name
from finetune_alf.schedules.provenance import ConfirmedScore
from finetune_alf.schedules.registry import Registry, ScheduleVersion
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.stats import optimism
from finetune_alf.study.identity import study_key
from finetune_alf.study.records import TrialRecord, read_study, read_trials


def register(ctx: Context, name: str, *, from_lock: bool = False) -> None:
    """Register two schedules of a finished study as `alf-<project>.<name>`, aliases alf-1 and alf-2.

    The baseline and the best single rate are confirmed with them. With `from_lock` nothing is fitted: the schedules of
    the lock file are registered again.
    """
    ctx.study(name)
    model = model_name(ctx.project, name)
    with (
        ctx.lock(f"register-{name}"),
        parent_run(ctx, f"register/{name}", f"register {name}", {"alf.study": name}, needs_store=True) as runs,
    ):
        registry = Registry(runs.uri)
        if from_lock:
            lock = read_lock(ctx.paths.schedules(name))
            schedules = {alias: each.schedule for alias, each in lock.schedules.items()}
            _register(registry, lock, model, schedules, runs)
        else:
            fits = RegistrationFits(ctx, name, open_bench(ctx, name), runs)
            lock = _confirm_and_register(fits, model, registry)
            lock.write(ctx.paths.schedules(name))
            write_register_files(ctx.paths, lock, fits.lines)
    for line in _outcome(lock, model):
        ctx.console.log(f"{name}: {line}")


def _confirm_and_register(fits: RegistrationFits, model: str, registry: Registry) -> LockDocument:
    name, bench, runs = fits.name, fits.bench, fits.runs
    folder = fits.ctx.paths.study_results(name)
    records = read_trials(folder / "trials.jsonl")
    found, trials = _confirmed(fits, model, records), {record.number: record for record in records}
    schedules = {
        alias: trial_schedule(name, alias, bench, trials[candidate.trial], _confirmed_score(bench, candidate))
        for alias, candidate in found.accepted.items()
    }
    versions = _register(registry, found, model, schedules, runs)
    key = study_key(name, read_study(folder).digest)
    _attach_curves(runs, key, [trials[each.trial] for each in found.accepted.values()], bench.study.score_name)
    lock = found.model_copy(update={"schedules": locked_schedules(schedules, versions)})
    runs.show(register_summary(lock, model))
    return lock


def _confirmed(fits: RegistrationFits, model: str, records: Sequence[TrialRecord]) -> LockDocument:
    """Return what the confirmation found, before any schedule is registered."""
    name, bench, spec = fits.name, fits.bench, fits.ctx.params.register_
    distance = bench.study.space.grid_step_distance
    baseline = bench.study.recipe.rates.at(bench.encoder.n_layers)
    picked = select_trials(records, baseline, spec.n_top, distance, spec.min_distance)
    single_rate = fits.search_single_rate(baseline, len(records))
    confirmed = fits.confirm(rates_to_confirm(picked, baseline, single_rate.rate))
    candidates = with_differences(confirmed_candidates(name, picked, confirmed), confirmed)
    by_score = rank_candidates(candidates, distance)
    return LockDocument(
        study=name,
        model=model,
        metric=bench.study.score_name,
        schedules={},
        candidates=tuple(by_score),
        chosen={alias: each.trial for alias, each in choose_schedules(by_score, spec.min_distance).items()},
        require=spec.require,
        margin=spec.margin,
        references=references(confirmed),
        single_rate=single_rate,
        optimism=optimism([confirmed[trial_name(each.trial)].by_text for each in candidates]),
    )


def _register(
    registry: Registry, lock: LockDocument, model: str, schedules: Mapping[str, Schedule], runs: Runs
) -> dict[str, ScheduleVersion]:
    """Register schedules, each with its tags and its description."""
    tags, descriptions = {}, {}
    for alias, schedule in schedules.items():
        candidate = lock.candidate(alias)
        compared = version_tags(candidate, lock.references, lock.single_rate)
        tags[alias] = {**compared, **page_tags(schedule, candidate)}
        descriptions[alias] = version_description(schedule, f"{model}@{alias}", candidate)
    return register_schedules(registry, model, schedules, tags, runs.parent_id, descriptions)


def register_summary(lock: LockDocument, model: str) -> Summary:
    """Return the summary of the parent run: what was registered, and the confirmed scores."""
    chosen = [(alias, candidate) for alias in lock.chosen if (candidate := lock.candidate(alias))]
    references = [ScoreRow(name, found) for name, found in _references(lock) if found]
    rows = [*references, *(ScoreRow(alias, candidate, candidate.from_baseline) for alias, candidate in chosen)]
    measure = f"confirmed {lock.metric.replace('_', ' ')}"
    return scores_summary("\n".join(f"* {line}" for line in _outcome(lock, model)), measure, rows)


def _references(lock: LockDocument) -> Iterator[tuple[str, Estimate | None]]:
    if lock.references:
        yield from (("baseline", lock.references.baseline), ("single_rate", lock.references.single_rate))


def _outcome(lock: LockDocument, model: str) -> Iterator[str]:
    """Yield what was registered, and how it compares with the baseline."""
    for alias in lock.chosen or lock.schedules:
        candidate = lock.candidate(alias)
        found = candidate.from_baseline if candidate else None
        compared = f"{signed_estimate(found.mean, found.low, found.high)} against the baseline, " if found else ""
        verdict = f" ({compared}{found.verdict})" if found else ""
        if alias in lock.schedules:
            yield f"registered {model}@{alias}{verdict}."
        else:
            yield f"{alias} is not registered{verdict}: it must be {required(lock.require, lock.margin)}."
    if lock.references and lock.references.single_rate and lock.single_rate:
        same = ", the baseline's own" if lock.single_rate_is_baseline else ""
        yield f"the best single rate is {rate(lock.single_rate.rate)}{same}."


def _confirmed_score(bench: Bench, candidate: Candidate) -> ConfirmedScore:
    return ConfirmedScore(
        metric=bench.study.score_name,
        mean=candidate.mean,
        low=candidate.low,
        high=candidate.high,
        n_seeds=len(candidate.scores),
        n_texts=sum(len(sample.splits["confirmation"].labels) for sample in bench.sample.tasks.values()),
    )


def _attach_curves(runs: Runs, key: str, trials: Sequence[TrialRecord], measure: str) -> None:
    """Log the learning curves of each registered trial as a picture in its run."""
    for trial in trials:
        if trial.result:
            curves = learning_curves([curve_of(f"trial {trial.number}", trial.result)], measure)
            runs.put_artifact(trial_key(key, trial.number), "curves.png", curves.png())
