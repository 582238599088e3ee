"""What the rates of schedules do, in words (frozen, barely moves, learns) and as relative movements of the weights."""

from collections.abc import Mapping

from finetune_alf.rates import BARELY, TYPICAL_SIZE, Address, LayerRates, Movement
from finetune_alf.recipe import movements
from finetune_alf.register.lock import LockDocument
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import NONE, counted, score
from finetune_alf.report.section import Section
from finetune_alf.schedules.published import published_rates
from finetune_alf.schedules.schedule import Schedule

ByAddress = Mapping[Address, Movement]


def schedule_rates(results: StudyResults, lock: LockDocument) -> dict[str, LayerRates]:
    """Return the rates of the baseline, the registered schedules and those published for the encoder, by name."""
    rates = {alias: one.schedule.rates for alias, one in lock.schedules.items()}
    if results.search is None:
        return rates
    settings = results.search.settings
    return {"baseline": settings.baseline_rates, **rates} | published_rates(settings.encoder.identity)


def movements_of(results: StudyResults, lock: LockDocument, rates: Mapping[str, LayerRates]) -> dict[str, ByAddress]:
    """Return schedule -> address -> what its rate does, over the most steps that a trial of the study took.

    A schedule whose rates a trial had also has the movement that was measured in it. Empty without the study, and where
    adapters learn in place of the layers.
    """
    search = results.search
    if search is None or search.settings.recipe.adapter is not None:
        return {}
    fits = [(trial.rates, trial.result) for trial in search.trials if trial.result]
    n_steps = max((fit.n_steps for _, fit in fits), default=None)
    recipes = {alias: one.schedule.recipe for alias, one in lock.schedules.items()}

    def of(name: str, own: LayerRates) -> ByAddress:
        measured = next((fit.movement for rates, fit in fits if rates == own and fit.movement), None)
        recipe = recipes.get(name, search.settings.recipe)
        return movements(recipe, own, n_steps, search.settings.mean_sizes, measured)

    return {name: of(name, own) for name, own in rates.items()}


def movement_section(results: StudyResults, found: Mapping[str, ByAddress]) -> Section:
    """Return the table of what each rate does, addresses down and schedules across, and how to read it."""
    section = Section()
    if not found or results.search is None:
        return section
    n_steps = max((trial.result.n_steps for trial in results.search.trials if trial.result), default=None)
    addresses = max(found.values(), key=len)
    section.text("What these rates do, and how far they move the weights relative to their size:")
    section.table(
        ("address", *(f"`{name}`" for name in found)),
        [(f"`{address}`", *(_cell(own, address) for own in found.values())) for address in addresses],
    )
    size = "the mean size of a weight there"
    if results.search.settings.mean_sizes is None:
        size += f", taken as {score(TYPICAL_SIZE)}"
    steps = f" over {counted(n_steps, 'step')}" if n_steps else ""
    section.text(
        f"At most: rate x steps / {size}{steps}, which is about the most that AdamW can do. Measured: in the trial "
        f"with these rates. What moves by less than {score(BARELY)} *barely moves*: arithmetic in bf16 does not see it."
    )
    return section


def frozen_in_short(schedule: Schedule) -> str:
    """Return how many addresses a schedule freezes, and how many barely moved in its trial."""
    rates, measured = schedule.rates, schedule.provenance.movement
    found = movements(schedule.recipe, rates, None, measured=measured).values()
    n_barely = sum(one.word == "barely moves" for one in found)
    barely = f", {n_barely} barely moving" if n_barely else ""
    return f"{len(rates.frozen)} of {len(rates)} addresses frozen{barely}"


def _cell(own: ByAddress, address: Address) -> str:
    return str(own[address]) if address in own else NONE
