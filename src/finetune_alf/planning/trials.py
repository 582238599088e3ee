"""The finished trials of a study under the present settings, and whether its results are of other ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.checksums import digest
from finetune_alf.planning.predict import Predictor
from finetune_alf.study.databases import study_database
from finetune_alf.study.identity import study_identity
from finetune_alf.study.records import STUDY_FILE, TrialRecord, read_study, read_trials, stale_note
from finetune_alf.study.spec import StudySpec
from finetune_alf.study.store import closing_store


@dataclass(frozen=True)
class FinishedTrials:
    """The first `n_trials` finished trials of a study; `note` says where its results are those of other settings."""

    records: Sequence[TrialRecord]
    n_trials: int
    note: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether no trial is left."""
        return len(self.records) >= self.n_trials


def finished_trials(predictor: Predictor, name: str, spec: StudySpec) -> FinishedTrials:
    """Return the trials in a study's results, or those in its database where the results do not have all.

    Raises InputError, naming the file, for results that cannot be read, and StudyError for such a database.
    """
    if spec.sample not in predictor.samples:
        return FinishedTrials((), spec.n_trials)
    ctx, folder, records = predictor.ctx, predictor.ctx.paths.study_results(name), list[TrialRecord]()
    sample, encoder = predictor.samples[spec.sample].card.digest, predictor.encoder.identity
    identity, note = study_identity(spec, sample, encoder, ctx.compute.precision), ""
    if (folder / STUDY_FILE).exists():
        note = stale_note(read_study(folder), digest(identity))
        records = [] if note else read_trials(folder / "trials.jsonl")
    database = study_database(ctx.paths, name, identity, ctx.study_server)
    if len(records) < spec.n_trials and database.exists():
        with closing_store(database) as store:
            records = store.finished_trials()
    return FinishedTrials([each for each in records if each.number < spec.n_trials], spec.n_trials, note)
