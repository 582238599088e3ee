"""What the thesis published, as data in the package: schedules, accuracies, and the layers that it calls important.

R. Figueroa Parra, "Evaluating Adaptive Layer Freezing through Hyperparameter Optimization for Enhanced Fine-Tuning
Performance of Language Models", MIT, 2024: rates from tables 4.2, 4.4 and 4.6, accuracies from 4.1, 4.3 and 4.5.
"""

from importlib.resources import files
from math import sqrt

from pydantic import TypeAdapter

from finetune_alf.errors import ScheduleError
from finetune_alf.nearest import did_you_mean
from finetune_alf.rates import LayerRates
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.spec import Count, Spec

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

THESIS_NAMES = {"distilbert": "DistilBERT", "bert": "BERT", "roberta": "RoBERTa"}

IMPORTANT_LAYERS = {"distilbert": (3,), "bert": (8, 11, 5), "roberta": (8,)}
"""Encoder -> the layers that the thesis names as important, the first one first (chapter 4, figures 4.1 to 4.3)."""

LOWER_IS_BETTER = {"distilbert": 3}
"""Encoder -> the layer of which the thesis says that low rates, 2e-10 to 2e-7, score best (chapter 4)."""


class PublishedAccuracy(Spec):
    """One run of the thesis, with the number of the table that has it.

    Encoders: distilbert, bert, roberta. Schemes: feature_extraction, baseline, alf-1, alf-2. Test sets: imdb, yelp,
    sst2, amazon. The thesis gives no sizes: `n_texts` is the one of 480, 544 and 992 texts of which the accuracy is a
    fraction, to its last digit. Where several are possible, it is that of the same encoder's other cells on the set.
    """

    encoder: str
    scheme: str
    set: str
    accuracy: float
    n_texts: Count
    table: str

    @property
    def standard_error(self) -> float:
        """The standard error of the accuracy over other texts; other seeds would add to it."""
        return sqrt(self.accuracy * (1 - self.accuracy) / self.n_texts)


_ACCURACIES = TypeAdapter(tuple[PublishedAccuracy, ...])

_THESIS = files("finetune_alf.schedules").joinpath("thesis")


def published(name: str) -> Schedule:
    """Return a schedule of the thesis. Raises ScheduleError for a name that is not in PUBLISHED_NAMES."""
    if name not in PUBLISHED_NAMES:
        near = did_you_mean(name, PUBLISHED_NAMES)
        raise ScheduleError(f"schedule: must be one of {', '.join(PUBLISHED_NAMES)}, but got {name[:80]!r}{near}.")
    return Schedule.from_json(_THESIS.joinpath(f"{name}.json").read_bytes(), name)


def published_accuracies() -> tuple[PublishedAccuracy, ...]:
    """Return the published accuracies, one for each encoder, scheme and test set."""
    return _ACCURACIES.validate_json(_THESIS.joinpath("accuracies.json").read_bytes())


def published_accuracy(encoder: str, scheme: str, sample: str) -> PublishedAccuracy | None:
    """Return the published accuracy on the set with whose name the sample's starts; None without any."""
    plain = sample.replace("-", "").replace("_", "").lower()
    found = (row for row in published_accuracies() if (row.encoder, row.scheme) == (encoder, scheme))
    return next((row for row in found if plain.startswith(row.set)), None)


def thesis_encoder(identity: str) -> str | None:
    """Return an encoder's name in the thesis, or None for an encoder that is not in it."""
    return THESIS_ENCODERS.get(identity.partition("@")[0].rpartition("/")[2].lower())


def published_rates(identity: str) -> dict[str, LayerRates]:
    """Return schedule name -> rates, for the published schedules of this encoder."""
    encoder = thesis_encoder(identity)
    return {name: published(name).rates for name in PUBLISHED_NAMES if encoder and name.startswith(f"{encoder}-")}
