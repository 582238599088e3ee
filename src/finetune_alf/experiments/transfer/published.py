"""The thesis's own numbers beside ours, where the encoder is one of its three."""

from finetune_alf.rates import LayerRates
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import NONE, estimate, score
from finetune_alf.report.section import Section
from finetune_alf.schedules.published import PUBLISHED_NAMES, published, published_accuracies

THESIS_ENCODERS = {
    "distilbert-base-uncased": "distilbert",
    "bert-base-uncased": "bert",
    "roberta-base": "roberta",
}
"""Hub name, without its owner -> the thesis's name for it."""

SETS = ("imdb", "yelp", "sst2", "amazon")


def thesis_encoder(identity: str) -> str | None:
    """Return the thesis's name of an encoder, by its hub name; None for any other."""
    return THESIS_ENCODERS.get(identity.partition("@")[0].rpartition("/")[2].lower())


def published_rates(identity: str) -> dict[str, LayerRates]:
    """Return the rates that the thesis published for this encoder, by the schedules' names."""
    encoder = thesis_encoder(identity)
    return {name: published(name).rates for name in PUBLISHED_NAMES if encoder and name.startswith(f"{encoder}-")}


def beside_the_thesis(results: StudyResults) -> Section | None:
    """Return published accuracies beside ours; None when the encoder is not the thesis's."""
    encoder = thesis_encoder(results.search.about.encoder.identity) if results.search else None
    if encoder is None:
        return None
    rows = [row for row in published_accuracies() if row["encoder"] == encoder]
    section = Section()
    section.tabulate(
        ("scheme", *(f"{name}, {whose}" for name in SETS for whose in ("thesis", "ours"))),
        [_row(results, rows, scheme) for scheme in dict.fromkeys(str(row["scheme"]) for row in rows)],
    )
    section.say(
        f"Thesis: table {rows[0]['table']}, one run each on 480 to 992 texts, so a standard error of .008 to .017. Its "
        "`alf` rows are its own schedules, ours are those of this study; sample sizes and software differ too."
    )
    return section


def _row(results: StudyResults, rows: list[dict[str, str | float]], scheme: str) -> list[str]:
    theirs = {row["set"]: float(row["accuracy"]) for row in rows if row["scheme"] == scheme}
    cells = [f"`{scheme}`"]
    for name in SETS:
        cells += [score(theirs.get(name)), _ours(results, name, scheme)]
    return cells


def _ours(results: StudyResults, set_name: str, scheme: str) -> str:
    """Return our accuracy on the sample whose name begins with the set's."""
    for one in results.transfers:
        plain = one.compared.sample.name.replace("-", "").replace("_", "")
        result = one.compared.schemes.get(scheme)
        if plain.startswith(set_name) and result and result.accuracy:
            return estimate(result.accuracy)
    return NONE
