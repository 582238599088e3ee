"""A trial as a Schedule: its recipe with the rates written out, and where it comes from."""

import datetime

from finetune_alf.paths import MAX_NAME
from finetune_alf.running.bench import Bench
from finetune_alf.schedules import ConfirmedScore, Provenance, Schedule
from finetune_alf.study.records import TrialRecord


def schedule_name(study: str, kind: str) -> str:
    """Return `<study>-<kind>`, with a long name of the study cut: both together are a Name."""
    return f"{study[: MAX_NAME - len(kind) - 1]}-{kind}"


def trial_schedule(
    study: str,
    kind: str,
    bench: Bench,
    trial: TrialRecord,
    confirmed: ConfirmedScore | None = None,
) -> Schedule:
    """Return the schedule of a trial; equal at every call, since times, commit and versions are the trial's.

    `kind` is what follows the study's name in its own.
    """
    created = datetime.datetime.fromtimestamp(trial.ended_ms / 1000, datetime.UTC)
    return Schedule(
        name=schedule_name(study, kind),
        recipe=bench.study.recipe.with_rates(trial.rates),
        provenance=Provenance(
            study=study,
            encoder=bench.encoder.identity,
            architecture=str(bench.encoder.model.config.model_type),
            n_layers=bench.encoder.n_layers,
            sample_name=bench.sample.name,
            sample_digest=bench.sample.card.digest,
            trial=trial.number,
            package_version=trial.environment.versions["finetune_alf"],
            git_commit=trial.environment.git_commit,
            precision=trial.environment.precision,
            created=created.isoformat(timespec="seconds"),
            movement=trial.result.movement if trial.result else None,
            n_steps=(trial.result.n_steps or None) if trial.result else None,
        ),
        confirmed=confirmed,
    )
