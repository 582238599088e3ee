"""The search in a project's folder: its sample, its identity and its trials."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune_alf.checksums import digest
from finetune_alf.data.mixture import load_any_sample
from finetune_alf.errors import InputError
from finetune_alf.notebook.project import Project
from finetune_alf.report.numbers import score
from finetune_alf.running.bench import encoder_spec_of
from finetune_alf.running.input_checks import check_schedules
from finetune_alf.study.identity import study_identity

if TYPE_CHECKING:
    from finetune_alf.study.records import TrialRecord


@dataclass(frozen=True)
class Search:
    """The search of a project; `drawn` is the digest of the sample that was drawn for it, None where any will do."""

    project: Project
    drawn: str | None = None

    @property
    def records(self) -> "list[TrialRecord]":
        """The finished trials in the study's database, of its first `n_trials`; none before the first run."""
        from finetune_alf.study.databases import study_database
        from finetune_alf.study.store import closing_store

        context, name = self.project.context, self.project.study
        database = study_database(self.project.paths, name, self._identity, context.study_server)
        if not database.exists():
            return []
        n_trials = context.study(name).n_trials
        with closing_store(database) as store:
            return [record for record in store.finished_trials() if record.number < n_trials]

    @property
    def best(self) -> "TrialRecord":
        """The best trial; InputError while none is complete."""
        from finetune_alf.study.records import best_trial

        best = best_trial(self.records)
        if best is None:
            raise InputError(f"{self.project.study}: no trial is complete yet. Call run() first.")
        return best

    def state(self) -> Mapping[str, str]:
        """Return how far the search is and its best score, in words."""
        from finetune_alf.study.records import best_trial

        records, spec = self.records, self.project.context.study(self.project.study)
        state, best = {"trials": f"{len(records)} of {spec.n_trials}"}, best_trial(records)
        if best is not None:
            state[f"best {spec.score_name}"] = f"{score(best.score)} on the validation split, trial {best.number}"
        return state

    def check_sample(self) -> None:
        """Raise InputError where another Study has drawn other texts into the folder."""
        if self.drawn is not None and sample_digest(self.project) != self.drawn:
            raise InputError(
                f"{self.project.paths.root}: another Study has put other texts there. Give each a folder of its own, "
                "as in root=…, or make this Study again."
            )

    def check_finished(self) -> None:
        """Raise InputError unless the results in the folder are those of this search."""
        from finetune_alf.study.records import STUDY_FILE, read_study

        folder = self.project.paths.study_results(self.project.study)
        if not (folder / STUDY_FILE).exists() or read_study(folder).digest != digest(self._identity):
            raise InputError(f"{self.project.study}: the search with these settings is not finished. Call run() first.")

    @property
    def _identity(self) -> dict[str, Any]:
        context = self.project.context
        spec = context.study(self.project.study)
        encoder = encoder_spec_of(context, spec.encoder).identity()
        return study_identity(spec, self.drawn or sample_digest(self.project), encoder, context.compute.precision)


def drawn_search(project: Project) -> Search:
    """Draw a project's sample, and return its search; DataError names every row that cannot be used.

    ScheduleError names every schedule of a scheme that cannot be.
    """
    from finetune_alf.running.prepare import prepare

    check_schedules(project.context.params, project.paths)
    prepare(project.context, project.sample)
    return Search(project, sample_digest(project))


def sample_digest(project: Project) -> str:
    """Return the digest of the sample that lies in the project's folder."""
    return load_any_sample(project.paths.sample(project.sample)).card.digest
