"""Published losses and accuracies: Lawless and Pachgade, "Survey of Finetuning Techniques", tables 1 and 2.

One run each, every scheme at a rate of 0.01 with batches of 32, 5 epochs on SST-2 and 10 on CoLA. Its figures show
BERT; the text names neither its size nor the optimizer. Its gradual unfreezing
starts with the classification layer alone. Validation splits of GLUE's sizes leave standard errors of
about .010 on SST-2 and .012 on CoLA.
"""

from finetune_alf.experiments.schemes.combination import Combination
from finetune_alf.experiments.schemes.document import PublishedScores


def _rows(*scores: tuple[float, float]) -> dict[tuple[str, str, str], PublishedScores]:
    keys = [
        ("fixed", "none", "constant"),
        ("fixed", "houlsby", "constant"),
        ("fixed", "none", "slanted_triangular"),
        ("fixed", "houlsby", "slanted_triangular"),
        ("nesterov", "none", "constant"),
        ("nesterov", "houlsby", "constant"),
        ("differential", "none", "constant"),
        ("differential", "houlsby", "constant"),
        ("gradual_from_head", "none", "constant"),
        ("gradual_from_head", "houlsby", "constant"),
    ]
    return {
        key: PublishedScores(loss=loss, accuracy=accuracy) for key, (loss, accuracy) in zip(keys, scores, strict=True)
    }


TABLES = {
    "sst2": _rows(
        (0.235, 0.907),
        (0.251, 0.900),
        (0.238, 0.914),
        (0.229, 0.925),
        (0.227, 0.911),
        (0.234, 0.907),
        (0.346, 0.842),
        (0.345, 0.858),
        (0.389, 0.835),
        (0.424, 0.806),
    ),
    "cola": _rows(
        (0.483, 0.772),
        (0.458, 0.776),
        (0.433, 0.822),
        (0.407, 0.831),
        (0.449, 0.819),
        (0.417, 0.814),
        (0.548, 0.742),
        (0.560, 0.739),
        (0.554, 0.737),
        (0.574, 0.737),
    ),
}
"""By set, then by scheme, adapter and curve."""


def published_scores(sample: str, combination: Combination) -> PublishedScores | None:
    """Return the published scores of a combination on the set with whose name the sample's starts; None without any."""
    plain = sample.replace("-", "").replace("_", "")
    key = (combination.scheme, combination.adapter_name, combination.curve.kind)
    return next((rows.get(key) for name, rows in TABLES.items() if plain.startswith(name)), None)
