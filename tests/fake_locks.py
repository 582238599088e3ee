"""Made-up lock files, for tests of code that reads them: the one builder of them."""

from collections.abc import Sequence
from typing import Any

from fake_comparisons import compared
from finetune_alf.comparison import ComparedDifference
from finetune_alf.documents import Estimate
from finetune_alf.rates import LayerRates, ListedRates, UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.register.candidates import Candidate
from finetune_alf.register.compare import Reference, References
from finetune_alf.register.lock import LockDocument, locked_schedules
from finetune_alf.register.single_rate import SingleRate, TriedRate, uniform_rates
from finetune_alf.schedules import ConfirmedScore, Provenance, Schedule
from finetune_alf.schedules.registry import ScheduleVersion

RECIPE = Recipe(rates=UniformRates(rate=5e-5, head=1e-3), epochs=4, batch=8, max_tokens=48)
HALF = 0.06
"""Half an interval."""


def around(mean: float) -> dict[str, float]:
    """Return a mean with its interval."""
    return dict(Estimate(mean=mean, low=max(mean - HALF, 0.0), high=min(mean + HALF, 1.0)))


def fake_candidate(
    trial: int,
    rates: LayerRates,
    scores: Sequence[float],
    *,
    search_score: float = 0.8,
    distance: float = 0.0,
    from_baseline: ComparedDifference | None = None,
    from_single_rate: ComparedDifference | None = None,
) -> Candidate:
    """Return a confirmed trial."""
    return Candidate(
        trial=trial,
        rates=rates,
        search_score=search_score,
        scores=tuple(scores),
        distance=distance,
        from_baseline=from_baseline,
        from_single_rate=from_single_rate,
        **around(sum(scores) / len(scores)),
    )


def fake_single_rate(means: dict[float, float], n_rounds: int = 2) -> SingleRate:
    """Return a search for the best single rate with these means, all rounds alike."""
    grid = tuple(TriedRate(rate=rate, scores=(mean,) * n_rounds, mean=mean) for rate, mean in means.items())
    return SingleRate(rate=max(means, key=lambda rate: means[rate]), n_fits=len(means) * n_rounds, grid=grid)


def fake_schedule(study: str, alias: str, candidate: Candidate, n_texts: int = 120) -> Schedule:
    """Return the schedule of a candidate."""
    kept = Estimate(mean=candidate.mean, low=candidate.low, high=candidate.high)
    return Schedule(
        name=f"{study}-{alias}",
        recipe=RECIPE.model_copy(update={"rates": ListedRates.from_rates(candidate.rates)}),
        provenance=Provenance(
            study=study,
            encoder="sentence-encoder@1.0:53aa",
            architecture="bert",
            n_layers=candidate.rates.n_layers,
            sample_name="films",
            trial=candidate.trial,
        ),
        confirmed=ConfirmedScore(metric="accuracy", n_seeds=len(candidate.scores), n_texts=n_texts, **dict(kept)),
    )


def fake_lock(study: str, candidates: Sequence[Candidate], refused: Sequence[str] = (), **given: Any) -> LockDocument:
    """Return the lock file of a study whose first two candidates were chosen; the refused aliases have no schedule.

    Other fields are `given`, the baseline scores .74 and the best single rate, 5e-6, .75 unless they are.
    """
    chosen = dict(zip(("alf-1", "alf-2"), candidates, strict=False))
    schedules = {alias: fake_schedule(study, alias, each) for alias, each in chosen.items() if alias not in refused}
    versions = {
        alias: ScheduleVersion(f"alf-{study}", number, schedule.digest, "r", (alias,))
        for number, (alias, schedule) in enumerate(schedules.items(), start=1)
    }
    baseline = RECIPE.rates.at(candidates[0].rates.n_layers)
    n_seeds = len(candidates[0].scores)

    def reference(rate: float, mean: float) -> Reference:
        return Reference(rates=uniform_rates(rate, baseline), scores=(mean,) * n_seeds, **around(mean))

    fields: dict[str, Any] = {
        "study": study,
        "model": f"alf-{study}",
        "metric": "accuracy",
        "schedules": locked_schedules(schedules, versions),
        "candidates": tuple(candidates),
        "chosen": {alias: each.trial for alias, each in chosen.items()},
        "references": References(baseline=reference(5e-5, 0.74), single_rate=reference(5e-6, 0.75)),
        "single_rate": fake_single_rate({5e-8: 0.51, 5e-7: 0.6, 5e-6: 0.76, 5e-5: 0.74}),
        "optimism": 0.017,
        "margin": 0.01,
    }
    return LockDocument(**(fields | given))


def too_few(mean: float) -> ComparedDifference:
    """Return a difference over two seeds, which have no verdict."""
    return compared(mean, n_seeds=2, verdict="too few seeds for a verdict")
