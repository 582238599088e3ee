"""The six schedules and the accuracies that the thesis published, as data in the package.

R. Figueroa Parra, "Evaluating Adaptive Layer Freezing through Hyperparameter Optimization for Enhanced Fine-Tuning
Performance of Language Models", MIT, 2024: rates from tables 4.2, 4.4 and 4.6, accuracies from 4.1, 4.3 and 4.5.
"""

import json
from importlib.resources import files

from finetune_alf.errors import ScheduleError
from finetune_alf.rates import LayerRates
from finetune_alf.schedules.schedule import Schedule

PUBLISHED_NAMES = (
    "distilbert-alf-1",
    "distilbert-alf-2",
    "bert-alf-1",
    "bert-alf-2",
    "roberta-alf-1",
    "roberta-alf-2",
)

THESIS_ENCODERS = {
    "distilbert-base-uncased": "distilbert",
    "bert-base-uncased": "bert",
    "roberta-base": "roberta",
}
"""Name of a checkpoint on the Hub, without its owner -> its name in the thesis."""

_THESIS = files("finetune_alf.schedules").joinpath("thesis")


def published(name: str) -> Schedule:
    """Return a schedule of the thesis. Raises ScheduleError for a name that is not in PUBLISHED_NAMES."""
    if name not in PUBLISHED_NAMES:
        raise ScheduleError(f"schedule: must be one of {', '.join(PUBLISHED_NAMES)}, but got {name[:80]!r}.")
    return Schedule.from_json(_THESIS.joinpath(f"{name}.json").read_bytes(), name)


def published_accuracies() -> list[dict[str, str | float]]:
    """Return the published accuracies, one row for each encoder, scheme and test set, with its table's number.

    Encoders: distilbert, bert, roberta. Schemes: feature_extraction, baseline, alf-1, alf-2. Test sets: imdb, yelp,
    sst2, amazon. Each is one run on 480, 544 or 992 texts: its standard error is 0.8 to 1.7 points.
    """
    rows: list[dict[str, str | float]] = json.loads(_THESIS.joinpath("accuracies.json").read_bytes())
    return rows


def thesis_encoder(identity: str) -> str | None:
    """Return an encoder's name in the thesis, or None for an encoder that is not in it."""
    return THESIS_ENCODERS.get(identity.partition("@")[0].rpartition("/")[2].lower())


def published_rates(identity: str) -> dict[str, LayerRates]:
    """Return schedule name -> rates, for the published schedules of this encoder."""
    encoder = thesis_encoder(identity)
    return {name: published(name).rates for name in PUBLISHED_NAMES if encoder and name.startswith(f"{encoder}-")}
