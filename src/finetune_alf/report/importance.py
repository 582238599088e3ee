"""Importance: which addresses matter, how firmly, beside shuffled scores, and in which direction."""

from collections.abc import Iterator

from finetune_alf.report.importance_published import beside_the_thesis
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import NONE, counted, p_value, score, signed
from finetune_alf.report.section import Section
from finetune_alf.stats import SIGNIFICANCE_LEVEL
from finetune_alf.study.decayed_space import DECAY, TOP_RATE
from finetune_alf.study.documents import ImportanceShare, LayerImportance, RankCorrelation, first_address
from finetune_alf.study.spec import ignores_scores

METHODS = "Three methods of Optuna, fanova (fANOVA), mdi (mean decrease of impurity) and ped_anova (PED-ANOVA),"
"""What the evaluators are, for readers who meet their names here first."""

ONE_RATE = "One rate was searched, for embeddings and all layers, so that none can matter more than another."

DECAY_PARAMS = (
    f"The rates of this study follow from two numbers: `{TOP_RATE}`, that of the top layer, and `{DECAY}`, the factor "
    "from each layer to the one below. The shares are theirs, and not those of layers."
)


def importance_question(name: str, record: LayerImportance) -> str:
    """Return the question that the shares of a study answer."""
    which = f"Which of `{TOP_RATE}` and `{DECAY}`" if record.is_of_decay else "Which layer's rate"
    return f"{which} matters most in `{name}`, as Optuna's methods estimate it:"


def importance_section(results: StudyResults, record: LayerImportance) -> Section:
    """Return the tables of importance and direction, and their limits."""
    section = Section()
    if record.reason:
        section.finding(f"There is no finding yet: {record.reason}.")
        return section
    if record.is_of_one:
        section.finding(ONE_RATE)
    else:
        _add_shares(section, record)
    section.table(
        ("address", "rate against score (rank correlation)", "corrected p", "direction"),
        [_direction_row(record, address, direction) for address, direction in record.direction.items()],
    )
    section.text(_directions(record))
    section.text(_basis(results, record))
    if not (record.is_of_one or record.is_of_decay):
        section.text(*beside_the_thesis(results.search.settings.encoder.identity if results.search else "", record))
    return section


def _add_shares(section: Section, record: LayerImportance) -> None:
    """Add the tables of shares, which address is first, and how to read them."""
    section.finding(DECAY_PARAMS if record.is_of_decay else None)
    for evaluator, by_address in record.evaluators.items():
        section.table(
            (
                f"address, by {evaluator}",
                "share",
                "95 % of the draws",
                f"first in, of {record.n_resamples}",
                "share with shuffled scores",
                "its 95th percentile",
            ),
            [_row(record, address, share) for address, share in by_address.items()],
        )
    firsts = [first_place(record, evaluator) for evaluator in record.evaluators]
    section.items(firsts)
    add = section.text if _agree(record) else section.finding
    add(agreement(record))
    section.text(_how_to_read(record))


def first_place(record: LayerImportance, evaluator: str) -> str:
    """Return the sentence that says which address an evaluator ranks first, how often, and which one is next."""
    shares = record.evaluators[evaluator]
    first = first_address(shares)
    rest = {address: share for address, share in shares.items() if address != first}
    own = shares[first]
    if not own.n_first:
        return f"{evaluator} ranks no address above all others in any of {record.n_resamples} draws from the trials."
    sentence = f"{evaluator} ranks `{first}` first in {own.n_first} of {record.n_resamples} draws from the trials"
    if rest and rest[first_address(rest)].n_first:
        sentence += f", `{first_address(rest)}` in {rest[first_address(rest)].n_first}"
    return f"{sentence}; its share is {score(own.mean)}, with shuffled scores {score(own.shuffled_mean)}."


def agreement(record: LayerImportance) -> str | None:
    """Return whether the evaluators rank the same address first, as a sentence; None for a single evaluator."""
    if len(record.evaluators) < 2:
        return None
    if _agree(record):
        return f"All {len(record.evaluators)} evaluators agree on the first place."
    return "**The evaluators disagree on the first place**: do not rely on one of them alone."


def _agree(record: LayerImportance) -> bool:
    firsts = [(first_address(shares), shares) for shares in record.evaluators.values()]
    return len({first for first, _ in firsts}) < 2 and all(shares[first].n_first for first, shares in firsts)


def direction_in_words(direction: RankCorrelation) -> str:
    """Return the direction in words; NONE for a rate that never changed, and where the sampler allows no test."""
    if direction.rho is None or direction.p_holm is None:
        return NONE
    if direction.p_holm >= SIGNIFICANCE_LEVEL:
        return "no evidence of a direction"
    return "higher rates score higher" if direction.rho > 0 else "lower rates score higher"


def _direction_of(address: str, direction: RankCorrelation) -> str:
    words = direction_in_words(direction)
    return words.replace("rates score", "factors score") if address == DECAY else words


def _row(record: LayerImportance, address: str, share: ImportanceShare) -> list[str]:
    return [
        _tied(record, address),
        score(share.mean),
        f"{score(share.low)} to {score(share.high)}",
        str(share.n_first),
        score(share.shuffled_mean),
        score(share.shuffled_high),
    ]


def _direction_row(record: LayerImportance, address: str, direction: RankCorrelation) -> list[str]:
    p_holm = NONE if direction.p_holm is None else p_value(direction.p_holm)
    return [_tied(record, address), signed(direction.rho), p_holm, _direction_of(address, direction)]


def _tied(record: LayerImportance, address: str) -> str:
    block = record.blocks.get(address, ())
    return ", ".join(f"`{each}`" for each in (block if address in block else (address,)))


def _how_to_read(record: LayerImportance) -> str:
    return (
        f"{METHODS} estimate which rates made most of the difference between trials. Each of the {record.n_resamples} "
        f"draws is {_part(record)}, {record.n_per_resample} of "
        f"{record.n_trials}, and a share is the mean over them. The range that holds 95 % of the draws says how "
        "stable a share is; it is no confidence interval. With shuffled scores no address matters: a share below the "
        "95th percentile beside it is one that chance gives. To bound the time, forests (fanova, mdi) have "
        f"{record.n_trees} trees with a depth of {record.max_depth} at most."
    )


def _part(record: LayerImportance) -> str:
    is_half = record.n_per_resample == record.n_trials // 2
    return "half of the trials" if is_half else "a part of the trials, which bounds the time"


def _directions(record: LayerImportance) -> str:
    if all(direction.p_holm is None for direction in record.direction.values()):
        return (
            "Importance has no sign, and these correlations are no test: the sampler chooses rates by the scores so "
            "far, so that its trials crowd where scores are high, and rates without any effect are correlated with the "
            "score as well. A study with `sampler: random` shows directions."
        )
    words = {address: _direction_of(address, direction) for address, direction in record.direction.items()}
    clear = [f"`{address}`: {word}" for address, word in words.items() if word.endswith("score higher")]
    how = "by permutation tests, corrected over the addresses by Holm's method"
    if not clear:
        return f"Importance has no sign. There is no evidence of a direction for any address, {how}."
    return f"Importance has no sign. There is evidence of a direction for {'; '.join(clear)} ({how})."


def _basis(results: StudyResults, record: LayerImportance) -> str:
    return " ".join(_basis_sentences(results, record))


def _basis_sentences(results: StudyResults, record: LayerImportance) -> Iterator[str]:
    basis = f"Computed from {counted(record.n_trials, 'trial')}"
    search = results.search
    if search and len(search.scored) != record.n_trials:
        others = "the others lie outside the space, repeat earlier ones, or came later"
        basis += f" of {len(search.scored)} scored ones ({others})"
    yield f"{basis}."
    if record.n_tested != record.n_trials:
        yield f"Correlations are over the {record.n_tested} that the sampler drew."
    if search and not ignores_scores(search.settings.sampler, len(search.trials)):
        yield "TPE samples mostly near good scores, so shares are less certain than with `sampler: random`."
