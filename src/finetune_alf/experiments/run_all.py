"""All stages in order, in a folder of their own, without git or DVC."""

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from finetune_alf.compute.load import busy_note, load_average
from finetune_alf.compute.spec import check_installed
from finetune_alf.errors import InputError
from finetune_alf.experiments.experiment import Experiment
from finetune_alf.experiments.unchanged import is_unchanged, record_run
from finetune_alf.params.checks import RawParams
from finetune_alf.report.numbers import counted
from finetune_alf.running.context import Context
from finetune_alf.running.input_checks import check_encoders, check_schedules, check_stores
from finetune_alf.running.prepare import prepare_all
from finetune_alf.running.stages import run_stage

if TYPE_CHECKING:
    from finetune_alf.params import Params


def run_all(ctx: Context, experiments: Sequence[Experiment]) -> None:
    """Run every stage for all that params.yaml names, and draw the samples that they read.

    What an interrupted run has finished is not done again. Where nothing has changed since the last whole run, samples
    alone are drawn again.
    """
    check_installed(ctx.params.compute)
    check_encoders(ctx.params, ctx.paths)
    check_schedules(ctx.params, ctx.paths)
    check_stores(ctx.params, ctx.paths)
    _check_confirmed(ctx)
    names = samples_read(ctx.params, experiments)
    if unread := [name for name in ctx.params.samples if name not in names]:
        ctx.console.log(f"Not prepared, because no study and no experiment reads it: {', '.join(unread)}.")
    for line in ("Stages:", *(f"  {stages}" for stages in stages_of(ctx.params, experiments))):
        ctx.console.log(line)
    prepare_all(ctx, names)
    if is_unchanged(ctx, experiments):
        ctx.console.log("Nothing has changed since the last run: no other stage is run again.")
        return
    ctx.console.log(f"Each stage shows the time that it has left; `{ctx.paths.command('plan')}` predicts that of all.")
    if note := busy_note(load_average()):
        ctx.console.log(note)
    _run(ctx, [experiment for experiment in experiments if experiment.before_studies])
    for name in ctx.params.studies:
        run_stage(ctx, "study", name)
        run_stage(ctx, "importance", name, again=False)
        run_stage(ctx, "register", name)
    _run(ctx, [experiment for experiment in experiments if not experiment.before_studies])
    run_stage(ctx, "report", parts=[experiment.part for experiment in experiments])
    record_run(ctx, experiments)


def _check_confirmed(ctx: Context) -> None:
    """Raise InputError for a study without texts to confirm its trials on, since a run registers each study."""
    raw = RawParams(ctx.params.model_dump(mode="json", by_alias=True))
    for study, spec in ctx.params.studies.items():
        if empty := [place for place, own in raw.drawn(spec.sample) if own["n_confirmation"] == 0]:
            raise InputError(
                f"{'.'.join(map(str, empty[0]))}.n_confirmation: must be above 1, since the trials of {study} are "
                "confirmed on these rows, but got 0. Raise it, or search alone with "
                f"`{ctx.paths.command('study', study)}`."
            )


def stages_of(params: "Params", experiments: Sequence[Experiment]) -> list[str]:
    """Return the stages of a run in order, in words, with what they are about."""
    before = [experiment for experiment in experiments if experiment.before_studies]
    after = [experiment for experiment in experiments if not experiment.before_studies]
    samples = ", ".join(samples_read(params, experiments))
    studies = [
        f"study {name} ({counted(spec.n_trials, 'trial')}), importance, register"
        for name, spec in params.studies.items()
    ]
    return [f"prepare {samples}", *_entries(params, before), *studies, *_entries(params, after), "report"]


def _entries(params: "Params", experiments: Sequence[Experiment]) -> list[str]:
    found = {experiment.key: experiment.choices(params) for experiment in experiments}
    return [f"{key} {' on '.join(map(', '.join, choices))}" for key, choices in found.items() if all(choices)]


def samples_read(params: "Params", experiments: Sequence[Experiment]) -> list[str]:
    """Return the names of the samples that studies and experiments read, in the order of params.yaml."""
    read = {spec.sample for spec in params.studies.values()}
    for experiment in experiments:
        for arguments in product(*experiment.choices(params)):
            read.update(experiment.samples(params, *arguments))
    return [name for name in params.samples if name in read]


def _run(ctx: Context, experiments: Sequence[Experiment]) -> None:
    for experiment in experiments:
        for arguments in product(*experiment.choices(ctx.params)):
            experiment.run(ctx, *arguments)
