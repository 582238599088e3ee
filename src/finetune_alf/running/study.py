"""Stage `study`: search the rates, and mirror every trial to MLflow."""

from finetune_alf.encoder.movement import mean_sizes
from finetune_alf.files import digest
from finetune_alf.running.bench import open_bench
from finetune_alf.running.context import Context
from finetune_alf.running.dvc_files import write_study_files
from finetune_alf.running.nested_runs import trial_run
from finetune_alf.running.parent_run import parent_run
from finetune_alf.running.trial_schedule import trial_schedule
from finetune_alf.study.coordinator import run_study
from finetune_alf.study.identity import study_identity
from finetune_alf.study.records import TrialRecord
from finetune_alf.tracking.views import Columns


def study(ctx: Context, name: str) -> None:
    """Run or resume `studies.<name>` until it has its number of trials."""
    bench = open_bench(ctx, name)
    spec, environment = bench.study, ctx.environment
    identity = study_identity(spec, bench.sample.card.digest, bench.encoder.identity, environment.precision)
    key = study_key(name, digest(identity))
    ctx.die_with_dvc()
    with (
        ctx.console.progress(f"study {name}", spec.n_trials) as bar,
        parent_run(ctx, key, f"study {name}", {**bench.tags, "alf.study": name}) as runs,
    ):
        addresses = tuple(spec.recipe.rates_at(bench.encoder.n_layers))
        runs.tracker.show_columns(Columns(addresses, trials=(spec.score_name,), confirmation=(spec.score_name,)))
        best = float("-inf")

        def on_trial(record: TrialRecord) -> None:
            nonlocal best
            best = max(best, record.score if record.score is not None else best)
            schedule = trial_schedule(name, f"{name}-trial-{record.number}", bench, record)
            runs.put(
                trial_run(trial_key(key, record.number), schedule, record, metric=spec.score_name, tags=bench.tags)
            )
            bar.advance(f"best {best:.3f}")

        result = run_study(
            name,
            spec,
            sample=bench.sample_identity,
            encoder=bench.encoder_identity,
            encoder_spec=bench.encoder_spec,
            environment=environment,
            executor=ctx.executor(),
            work=bench.fit_runner,
            paths=ctx.paths,
            mean_sizes=mean_sizes(bench.encoder),
            on_trial=on_trial,
        )
        write_study_files(ctx.paths, name, result.records, spec.recipe.rates.at(bench.encoder.n_layers))
        runs.metrics.update({"best.score": result.best.score or 0.0, "n_trials": len(result.records)})
    ctx.console.log(
        f"{name}: {len(result.records)} trials, the best is {result.best.number} with {spec.score_name} "
        f"{result.best.score:.3f} on the validation split. Database: {result.database}"
    )


def study_key(name: str, identity: str) -> str:
    """Return the key of a study's parent run."""
    return f"study/{name}/{identity[:16]}"


def trial_key(key: str, number: int) -> str:
    """Return the key of a trial's run."""
    return f"{key}/{number}"
