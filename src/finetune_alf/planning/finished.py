"""Whether the stages of a study are done under the present settings, so that no fit of them is left."""

from pathlib import Path

from finetune_alf.checksums import digest
from finetune_alf.errors import InputError, PartialError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.planning.predict import Predictor
from finetune_alf.register.candidates import select_trials
from finetune_alf.register.confirm import confirmation_jobs, rates_to_confirm
from finetune_alf.register.single_rate import best_single_rate, n_rounds, single_rate_jobs
from finetune_alf.study.identity import study_identity
from finetune_alf.study.records import TrialRecord, read_study, read_trials
from finetune_alf.study.spec import StudySpec


def finished_search(predictor: Predictor, name: str, spec: StudySpec) -> list[TrialRecord] | None:
    """Return the trials of a study whose results are those of the present settings; None where trials are left.

    Raises InputError, naming the file, for results that cannot be read.
    """
    folder = predictor.ctx.paths.study_results(name)
    if spec.sample not in predictor.samples or not _has_results(folder):
        return None
    sample, encoder = predictor.samples[spec.sample].card.digest, predictor.encoder.identity
    identity = study_identity(spec, sample, encoder, predictor.ctx.compute.precision)
    if read_study(folder).digest != digest(identity):
        return None
    trials = read_trials(folder / "trials.jsonl")
    return trials if len(trials) >= spec.n_trials else None


def is_registration_finished(predictor: Predictor, name: str, spec: StudySpec, trials: list[TrialRecord]) -> bool:
    """Return whether the ledger has each fit of the registration of these trials, and the lock file is written."""
    ctx, register = predictor.ctx, predictor.ctx.params.register_
    if not ctx.paths.schedules(name).exists():
        return False
    ledger, grid = Ledger(ctx.paths.ledger(f"register-{name}")), spec.space.positive_grid
    sample, baseline = predictor.samples[spec.sample].card.digest, spec.recipe.rates.at(predictor.n_layers)
    template = FitJob("", spec.recipe, predictor.spec, sample, 0, ctx.compute.precision, metric=spec.metric)
    n_each, distance = n_rounds(len(trials), grid), spec.space.grid_step_distance
    jobs = single_rate_jobs(grid, baseline, template, n_each, register.seed)
    results = {job.key: result for job in jobs if (result := ledger.find(job)) is not None}
    if len(results) < len(jobs):
        return False
    try:
        single = best_single_rate(name, grid, results, n_each)
        picked = select_trials(trials, baseline, register.n_top, distance, register.min_distance)
    except (InputError, PartialError):
        return False  # the stage says why it cannot end
    rates = rates_to_confirm(picked, baseline, single.rate)
    return all(ledger.find(job) for job in confirmation_jobs(rates, template, register.n_seeds, register.seed))


def _has_results(folder: Path) -> bool:
    return (folder / "study.json").exists() and (folder / "trials.jsonl").exists()
