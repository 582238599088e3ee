"""Stage `study`: search the rates, and mirror every trial to MLflow."""

from collections.abc import Sequence

from finetune_alf.encoder.movement import mean_sizes
from finetune_alf.files import digest
from finetune_alf.report.numbers import score
from finetune_alf.running.bench import open_bench
from finetune_alf.running.context import Context
from finetune_alf.running.dvc_files import write_study_files
from finetune_alf.running.nested_runs import epoch_of_fit, trial_name, trial_run
from finetune_alf.running.parent_run import parent_run
from finetune_alf.running.summary import Summary
from finetune_alf.running.trial_schedule import trial_schedule
from finetune_alf.study.coordinator import run_study
from finetune_alf.study.identity import study_identity
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.store import PendingTrial
from finetune_alf.tracking.views import Columns
from finetune_alf.train.result import EpochMetrics

N_SHOWN = 8
"""The best trials that the description of a study shows."""


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

        def on_epoch(trial: PendingTrial, epoch: EpochMetrics) -> None:
            recipe, run_key = spec.recipe.with_rates(trial.rates), trial_key(key, trial.number)
            tags = {**bench.tags, "alf.trial": str(trial.number)}
            runs.put_epoch(
                epoch_of_fit(
                    run_key, trial_name(trial.number), recipe, bench.encoder.n_layers, environment, epoch, tags
                )
            )

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
            on_epoch=on_epoch,
        )
        write_study_files(ctx.paths, name, result.records, spec.recipe.rates.at(bench.encoder.n_layers))
        found = (
            f"{len(result.records)} trials, the best is {result.best.number} with {spec.score_name} "
            f"{result.best.score:.3f} on the validation split."
        )
        runs.show(_summary(found, spec.score_name, result.records))
    ctx.console.log(f"{name}: {found} Database: {result.database}")


def _summary(found: str, measure: str, records: Sequence[TrialRecord]) -> Summary:
    """Return the summary of a study: its best trials, whose scores have no intervals."""
    best = sorted((-record.score, record.number) for record in records if record.score is not None)[:N_SHOWN]
    rows = [f"| trial {number} | {score(-negative)} |" for negative, number in best]
    table = "\n".join([f"| | validation {measure} |", "|---|---|", *rows])
    caution = "The best score of many trials is too high; the confirmation scores the best trials on other texts."
    metrics = {"study/n_trials": float(len(records))}
    if best:
        metrics["study/best_score"] = -best[0][0]
    return Summary(f"{found}\n\n{table}\n\n{caution}", metrics)


def study_key(name: str, identity: str) -> str:
    """Return the key of a study's parent run."""
    return f"study/{name}/{identity[:16]}"


def trial_key(key: str, number: int) -> str:
    """Return the key of a trial's run."""
    return f"{key}/{number}"
