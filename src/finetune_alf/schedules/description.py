"""A schedule as text to read: where it comes from, its recipe, and what its rates do."""

from collections.abc import Iterator, Mapping

from finetune_alf.checksums import with_short_digests
from finetune_alf.rates import BARELY, TYPICAL_SIZE, Address, setting_text
from finetune_alf.recipe import movements
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.score_text import score_text

COLUMN = 26

DEFAULT_STEPS = 1000
"""The steps of a schedule that does not know its own, such as one of an earlier version."""


def describe(schedule: Schedule, n_steps: int | None = None) -> Iterator[str]:
    """Yield the lines of the text: movements as measured or, where `n_steps` are given, the largest over these."""
    provenance, kept = schedule.provenance, schedule.confirmed
    found = f"for {with_short_digests(provenance.encoder)}, searched on {provenance.sample_name}"
    yield f"{schedule.name}: {provenance.n_layers} layers, {found}"
    if provenance.citation:
        yield provenance.citation
    if kept:
        yield (
            f"confirmed {kept.metric} {score_text(kept.mean)} [{score_text(kept.low)}, {score_text(kept.high)}] over "
            f"{counted(kept.n_seeds, 'seed')} and {counted(kept.n_texts, 'text')}"
        )
    yield from ("", *_recipe(schedule), "", *_rates(schedule, n_steps))


def _recipe(schedule: Schedule) -> Iterator[str]:
    assumed = schedule.provenance.assumed or ()
    yield "recipe" + (" (* is not in the source: this package's choice)" if assumed else "")
    fields = schedule.recipe.model_dump(mode="json", exclude={"rates"}, exclude_none=True, exclude_unset=True)
    for name, value in fields.items():
        in_parts = isinstance(value, dict) and any(path.startswith(f"{name}.") for path in assumed)
        parts = {f"{name}.{key}": own for key, own in value.items()} if in_parts else {name: value}
        for path, own in parts.items():
            yield f"  {path + (' *' if path in assumed else ''):<{COLUMN}}  {written(own)}"


def counted(n: int, noun: str) -> str:
    """Return a number of things in words, as in `1 step` or `1,000 steps`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def written(value: object) -> str:
    """Return a value of a recipe as text."""
    if isinstance(value, dict):
        kind = value.get("kind")
        others = ", ".join(f"{key} {written(own)}" for key, own in value.items() if key != "kind")
        return ", ".join(filter(None, (kind, others)))
    if isinstance(value, list):
        return " and ".join(map(written, value))
    if isinstance(value, float):
        return setting_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def steps_of(schedule: Schedule) -> int:
    """Return over how many steps largest movements are given: those of the trial that found it, where it knows them."""
    return schedule.provenance.n_steps or DEFAULT_STEPS


def measured_movement(schedule: Schedule, n_steps: int | None) -> Mapping[Address, float] | None:
    """Return the movements that the trial which found it measured; None where other steps are given."""
    return schedule.provenance.movement if n_steps is None else None


def _rates(schedule: Schedule, n_steps: int | None) -> Iterator[str]:
    measured, own_steps = measured_movement(schedule, n_steps), schedule.provenance.n_steps
    n_steps = n_steps or steps_of(schedule)
    if measured is None:
        where = f": at most, over {counted(n_steps, 'step')} at a mean size of {TYPICAL_SIZE:g}"
    else:
        where = " in the trial that found the schedule" + (f", over {counted(own_steps, 'step')}" if own_steps else "")
    yield (
        f"rates, and how far they move the weights relative to their size{where}; what moves by less than {BARELY:.1g} "
        "barely moves"
    )
    for address, found in movements(schedule.recipe, schedule.rates, n_steps, measured=measured).items():
        yield f"  {address:<12}{written(found.rate):<10}{found}"
