"""Stage `study`: search the rates, and mirror every trial to MLflow."""

from collections.abc import Sequence
from functools import partial

from finetune_alf.checksums import digest
from finetune_alf.data.mixture import AnySample
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.movement import mean_sizes
from finetune_alf.metrics import majority_baseline, sample_metric
from finetune_alf.rates import LayerRates
from finetune_alf.report.numbers import score
from finetune_alf.running.bench import Bench, open_bench
from finetune_alf.running.context import Context
from finetune_alf.running.dvc_files import write_study_files
from finetune_alf.running.nested_runs import epoch_of_fit, trial_name, trial_run
from finetune_alf.running.parent_run import parent_run
from finetune_alf.running.summary import Summary
from finetune_alf.running.trial_schedule import trial_schedule
from finetune_alf.study.coordinator import run_study
from finetune_alf.study.identity import study_identity, study_key
from finetune_alf.study.records import TrialRecord, best_trial
from finetune_alf.study.store import PendingTrial
from finetune_alf.tracking.record import RunRecord
from finetune_alf.tracking.views import Columns
from finetune_alf.train.result import EpochMetrics

N_SHOWN = 8
"""The best trials that the description of a study shows."""


def study(ctx: Context, name: str) -> None:
    """Run or resume `studies.<name>` until it has its number of trials."""
    with ctx.lock(f"study-{name}"):
        _study(ctx, name)


def _study(ctx: Context, name: str) -> None:
    bench = open_bench(ctx, name)
    spec, environment = bench.study, ctx.environment
    identity = study_identity(spec, bench.sample.card.digest, bench.encoder.identity, environment.precision)
    key = study_key(name, digest(identity))
    with (
        ctx.console.progress(f"study {name}", spec.n_trials) as bar,
        parent_run(ctx, key, f"study {name}", {**bench.tags, "alf.study": name}) as runs,
    ):
        addresses = tuple(spec.recipe.rates_at(bench.encoder.n_layers))
        runs.show_columns(Columns(addresses, trials=(spec.score_name,), confirmation=(spec.score_name,)))
        best: float | None = None

        def on_trial(record: TrialRecord, *, is_new: bool = True) -> None:
            nonlocal best
            if record.score is not None:
                best = record.score if best is None else max(best, record.score)
            runs.put(run_of_trial(key, name, bench, record))
            note = "no score yet" if best is None else f"best {score(best)}"
            bar.advance(note, step=str(record.number), is_new=is_new)

        def on_epoch(trial: PendingTrial, epoch: EpochMetrics) -> None:
            recipe, run_key = spec.recipe.with_rates(trial.rates), trial_key(key, trial.number)
            tags = {**bench.tags, "alf.trial": str(trial.number)}
            runs.put_epoch(
                epoch_of_fit(
                    run_key, trial_name(trial.number), recipe, bench.encoder.n_layers, environment, epoch, tags
                )
            )
            bar.epoch(str(trial.number), epoch.epoch + 1, recipe.epochs, epoch.seconds)

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
            server=ctx.study_server,
            mean_sizes=mean_sizes(bench.encoder),
            on_trial=on_trial,
            on_earlier=partial(on_trial, is_new=False),
            on_epoch=on_epoch,
        )
        baseline = spec.recipe.rates.at(bench.encoder.n_layers)
        write_study_files(ctx.paths, name, result.records, baseline)
        runs.show(study_summary(spec.score_name, result.records, baseline))
    ended = f" max_hours are over: {spec.n_trials} trials were wanted." if len(result.records) < spec.n_trials else ""
    found = _found(spec.score_name, result.records, baseline)
    constant = constant_note(best, spec.score_name, bench.sample)
    ctx.console.log(f"{name}: {found}{constant}{ended} Database: {result.database}")


def run_of_trial(key: str, name: str, bench: Bench, record: TrialRecord) -> RunRecord:
    """Return the run of a finished trial of a study, whose own run has this key."""
    schedule = trial_schedule(name, f"trial-{record.number}", bench, record) if record.result else None
    return trial_run(trial_key(key, record.number), schedule, record, metric=bench.study.score_name, tags=bench.tags)


def _found(measure: str, records: Sequence[TrialRecord], baseline: LayerRates) -> str:
    best = best_trial(records)
    if best is None:
        return f"{len(records)} trials."
    plain, shown = ", plain fine-tuning," if best.rates == baseline else "", measure.replace("_", " ")
    found = f"the best is trial {best.number}{plain} with {shown} {score(best.score)} on the validation split"
    return f"{len(records)} trials, {found}."


def constant_note(best: float | None, metric: str, sample: AnySample) -> str:
    """Return a sentence where no score is above that of one prediction for all texts; empty for several tasks."""
    if best is None or not isinstance(sample, Sample):
        return ""
    constant = majority_baseline(sample_metric(metric, sample.card.n_classes), sample.splits["validation"].labels)
    if best > constant:
        return ""
    return (
        f" No trial is better than one prediction for all texts, which has {score(constant)}: more training texts, "
        "more epochs or higher rates may be needed."
    )


def study_summary(measure: str, records: Sequence[TrialRecord], baseline: LayerRates) -> Summary:
    """Return the summary of a study: its best trials, whose scores have no intervals; `baseline` has plain rates."""
    found = _found(measure, records, baseline)
    best = sorted((-record.score, record.number) for record in records if record.score is not None)[:N_SHOWN]
    rows = [f"| trial {number} | {score(-negative)} |" for negative, number in best]
    table = "\n".join([f"| | validation {measure} |", "|---|---|", *rows])
    caution = "The best score of many trials is too high; the confirmation scores the best trials on other texts."
    metrics = {"study/n_trials": float(len(records))}
    if best:
        metrics["study/best_score"] = -best[0][0]
    return Summary(f"{found}\n\n{table}\n\n{caution}", metrics)


def trial_key(key: str, number: int) -> str:
    """Return the key of a trial's run."""
    return f"{key}/{number}"
