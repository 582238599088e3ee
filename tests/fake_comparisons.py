"""Made-up differences, for tests of code that only reads or judges them."""

from finetune_alf.comparison import ComparedDifference, ComponentsRecord

VARIANCE = ComponentsRecord(seed=0.006**2, text=0.002, rest=0.08, n_seeds=5, n_texts=1200)


def compared(
    mean: float,
    p: float = 0.3,
    *,
    half: float = 0.04,
    n_seeds: int = 5,
    p_holm: float | None = None,
    verdict: str | None = None,
) -> ComparedDifference:
    """Return a difference; without a verdict it is exploratory, or not judged yet."""
    return ComparedDifference(
        mean=mean,
        low=mean - half,
        high=mean + half,
        p=p,
        sd_seeds=None if n_seeds == 1 else 0.007,
        variance=VARIANCE.model_copy(update={"n_seeds": n_seeds, "seed": None if n_seeds == 1 else VARIANCE.seed}),
        p_holm=p_holm,
        verdict=verdict,
    )
