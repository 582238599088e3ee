"""Stage `register`: confirm the top trials over fresh seeds, register two of them in MLflow."""

from collections.abc import Mapping, Sequence

from finetune_alf.data.mixture import task_infos
from finetune_alf.figures import learning_curves
from finetune_alf.recipe.task_plans import task_plans
from finetune_alf.register.candidates import Candidate, choose_schedules, rank_candidates, select_trials
from finetune_alf.register.confirm import confirmation_jobs, confirmed_candidate, require_two
from finetune_alf.register.lock import lock_document, read_lock, register_schedules
from finetune_alf.running.bench import Bench, open_bench
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import Fitter, LoggedFields
from finetune_alf.running.parent_run import Runs, parent_run
from finetune_alf.running.study import study_key, trial_key
from finetune_alf.running.trial_schedule import trial_schedule
from finetune_alf.schedules.registry import Registry, model_name
from finetune_alf.schedules.schedule import ConfirmedScore
from finetune_alf.study.records import TrialRecord, read_study, read_trials
from finetune_alf.train.job import FitJob
from finetune_alf.train.ledger import Ledger
from finetune_alf.train.result import RecordedFit


def register(ctx: Context, name: str, *, from_lock: bool = False) -> None:
    """Register two schedules of a finished study as `alf-<project>.<name>`, aliases alf-1 and alf-2.

    With `from_lock` nothing is fitted: the schedules of the lock file are registered again.
    """
    ctx.study(name)
    model = model_name(ctx.project, name)
    with (
        ctx.lock(f"register-{name}"),
        parent_run(ctx, f"register/{name}", f"register {name}", {"alf.study": name}) as runs,
    ):
        registry = Registry(runs.tracker.uri)
        if from_lock:
            locked = read_lock(ctx.paths.schedules(name)).schedules
            schedules = {alias: each.schedule for alias, each in locked.items()}
            register_schedules(registry, model, schedules, runs.parent_id)
        else:
            _confirm_and_register(ctx, name, model, registry, runs)
    ctx.console.log(f"{name}: registered {model}@alf-1 and {model}@alf-2.")


def _confirm_and_register(ctx: Context, name: str, model: str, registry: Registry, runs: Runs) -> None:
    bench, spec = open_bench(ctx, name), ctx.params.register_
    folder = ctx.paths.study_results(name)
    records, distance = read_trials(folder / "trials.jsonl"), bench.study.space.grid_step_distance
    baseline = bench.study.recipe.rates.at(bench.encoder.n_layers)
    picked = select_trials(records, baseline, spec.n_top, distance, spec.min_distance)
    study, digest = bench.study, bench.sample.card.digest
    template = FitJob("", study.recipe, bench.encoder_spec, digest, 0, ctx.compute.precision, metric=study.metric)
    results = _confirm(ctx, name, bench, confirmation_jobs(picked, template, spec.n_seeds, spec.seed), runs)
    truths = {task: sample.splits["confirmation"].labels for task, sample in bench.sample.tasks.items()}
    metrics = {
        task: plan.metric for task, plan in task_plans(study.recipe, task_infos(bench.sample), study.metric).items()
    }
    candidates = require_two(
        name, [confirmed_candidate(record, results, template, spec.n_seeds, truths, metrics) for record in picked]
    )
    by_score = rank_candidates(candidates, distance)
    chosen = choose_schedules(by_score, spec.min_distance)
    trials = {record.number: record for record in records}
    settings = read_study(folder)
    schedules = {
        alias: trial_schedule(name, f"{name}-{alias}", bench, trials[candidate.trial], _confirmed(bench, candidate))
        for alias, candidate in chosen.items()
    }
    versions = register_schedules(registry, model, schedules, runs.parent_id)
    key = study_key(name, settings.digest)
    _attach_curves(runs, key, [trials[candidate.trial] for candidate in chosen.values()], study.score_name)
    runs.metrics.update({f"{alias}.confirmed": candidate.mean for alias, candidate in chosen.items()})
    lock_document(name, model, study.score_name, schedules, versions, by_score).write(ctx.paths.schedules(name))


def _confirm(ctx: Context, name: str, bench: Bench, jobs: Sequence[FitJob], runs: Runs) -> Mapping[str, RecordedFit]:
    def logged(job: FitJob, result: RecordedFit) -> LoggedFields:
        return LoggedFields(
            {f"confirmation.{bench.study.score_name}": result.score}, {**bench.tags, "alf.seed": str(job.seed)}
        )

    with ctx.console.progress(f"confirm {name}", len(jobs)) as bar:
        ledger = Ledger(ctx.paths.ledger(f"register-{name}"))
        fitter = Fitter(ctx, f"register-{name}", ledger, bench.fit_runner, bench.encoder.n_layers, runs, bar)
        return fitter.fit_jobs(jobs, logged)


def _confirmed(bench: Bench, candidate: Candidate) -> ConfirmedScore:
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
        run_id = runs.tracker.find_run(trial_key(key, trial.number))
        if run_id and trial.result:
            epochs = [record.model_dump() for record in trial.result.epochs]
            curves = learning_curves([epochs], [f"trial {trial.number}"], measure)
            runs.tracker.log_artifact(run_id, "curves.png", curves)
