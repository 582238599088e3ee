"""Importance: which addresses matter, with intervals, and in which direction."""

from finetune_alf.documents import Estimate
from finetune_alf.figures import importance_bars
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import NONE, counted, estimate, signed_estimate
from finetune_alf.report.section import Section
from finetune_alf.study.documents import LayerImportance, RankCorrelation


def importance_section(results: StudyResults, record: LayerImportance) -> Section:
    """Return the importance bars, the table behind them, and their limits."""
    section = Section()
    shares = {evaluator: {a: e.model_dump() for a, e in by.items()} for evaluator, by in record.evaluators.items()}
    section.figure(
        f"{results.name}-importance.png",
        f"Importance of each address's rate for the score of {results.name}, by evaluator, with 95 % intervals",
        importance_bars(shares),
    )
    section.table(
        ("address", *record.evaluators, "rate against score (rank correlation)", "direction"),
        [_row(record, address) for address in _addresses(record)],
    )
    firsts = [first_place(evaluator, by) for evaluator, by in record.evaluators.items() if by]
    section.paragraphs.append("\n".join(f"- {sentence}" for sentence in firsts))
    section.text(agreement(record))
    section.text(_directions(record))
    section.text(_grounds(results, record))
    return section


def ranked(shares: dict[str, Estimate]) -> list[str]:
    """Return the addresses from the most important down."""
    return sorted(shares, key=lambda address: -shares[address].mean)


def rivals(shares: dict[str, Estimate]) -> list[str]:
    """Return the addresses whose interval overlaps with that of the first one."""
    first, *rest = ranked(shares)
    return [address for address in rest if shares[address].high >= shares[first].low]


def first_place(evaluator: str, shares: dict[str, Estimate]) -> str:
    """Return the sentence that names the address that an evaluator ranks first, and those that overlap with it."""
    first, close = ranked(shares)[0], rivals(shares)
    first_share = f"{evaluator} ranks `{first}` first, at {estimate(shares[first])}"
    if not close:
        return f"{first_share}, above the intervals of all others."
    named = "all others" if len(close) == len(shares) - 1 else ", ".join(f"`{address}`" for address in close)
    return f"{first_share}; its interval overlaps with that of {named}, so that their order is not clear."


def agreement(record: LayerImportance) -> str | None:
    """Return whether the evaluators rank the same address first, as a sentence; None for a single evaluator."""
    firsts = {evaluator: ranked(shares)[0] for evaluator, shares in record.evaluators.items() if shares}
    if len(firsts) < 2:
        return None
    if len(set(firsts.values())) == 1:
        return f"All {len(firsts)} evaluators agree on the first place."
    return "**The evaluators disagree on the first place**: do not rely on one of them alone."


def direction_in_words(direction: RankCorrelation | None) -> str:
    """Return a rank correlation in words; NONE for a rate that never changed."""
    if direction is None or direction.rho is None or direction.low is None or direction.high is None:
        return NONE
    if direction.low > 0:
        return "higher rates score higher"
    return "lower rates score higher" if direction.high < 0 else "no clear direction"


def _addresses(record: LayerImportance) -> list[str]:
    return list(dict.fromkeys(address for shares in record.evaluators.values() for address in shares))


def _row(record: LayerImportance, address: str) -> list[str]:
    direction = record.direction.get(address)
    cells = [estimate(shares[address]) if address in shares else NONE for shares in record.evaluators.values()]
    rho = signed_estimate(direction.rho, direction.low, direction.high) if direction else NONE
    tied = "".join(f", `{other}`" for other in record.blocks.get(address, ())[1:])
    return [f"`{address}`{tied}", *cells, rho, direction_in_words(direction)]


def _directions(record: LayerImportance) -> str:
    clear = {
        address: direction_in_words(way)
        for address, way in record.direction.items()
        if direction_in_words(way).endswith("score higher")
    }
    if not clear:
        return "Importance has no sign: for no address is it clear whether higher or lower rates score higher."
    directions = "; ".join(f"`{address}`: {way}" for address, way in clear.items())
    return f"Importance has no sign. The direction is clear for {directions}."


def _grounds(results: StudyResults, record: LayerImportance) -> str:
    grounds = f"Computed from {counted(record.n_trials, 'trial')}"
    if results.search is None:
        return f"{grounds}."
    if len(results.search.scored) != record.n_trials:
        grounds += f" of {len(results.search.scored)} scored ones (the others lie outside the space, or came later)"
    grounds += "."
    if results.search.settings.sampler.kind == "tpe":
        grounds += " TPE samples mostly near good scores, so shares are less certain than with `sampler: random`."
    return grounds
