"""Operating points that Lee, Tang and Lin 2019 published (abstract and section 4.1).

The text gives ranges, not the tables' cells: the base models keep at least 90 % of the full model's score with 3 to 5
of 12 layers trained, on every task but CoLA; BERT-large with 6 of 24, RoBERTa-large with 7 of 24. With only the head
trained, 64 % are kept on average.
"""

from dataclasses import dataclass

KEEP_FRAC = 0.9
"""The fraction of the full model's score that the published operating points keep."""

HEAD_ONLY_FRAC = 0.64
"""The fraction that is kept on average with only the head trained (section 4.2)."""

OUTLIER = "cola"
"""The task that the paper leaves out of its operating points, as an outlier."""


@dataclass(frozen=True)
class PublishedPoint:
    """The least and the most trained layers, of `n_layers`, over the paper's tasks."""

    encoder: str
    n_layers: int
    least: int
    most: int

    @property
    def layers(self) -> str:
        """The range in words: 3 to 5 of 12."""
        numbers = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
        return f"{numbers} of {self.n_layers}"


POINTS = (
    PublishedPoint("BERT-base and RoBERTa-base", 12, 3, 5),
    PublishedPoint("BERT-large", 24, 6, 6),
    PublishedPoint("RoBERTa-large", 24, 7, 7),
)


@dataclass(frozen=True)
class PublishedImprovement:
    """A task on which freezing `least` to `most` of `n_layers` raised the score of some encoders."""

    task: str
    encoders: str
    n_layers: int
    least: int
    most: int


IMPROVEMENT = PublishedImprovement("sst2", "BERT-large and RoBERTa-large", 24, 12, 16)
"""A consistent increase with these numbers of frozen layers (section 4.2); the text gives no scores."""


def is_of_task(sample: str, task: str) -> bool:
    """Return whether a sample, judged by its name, is of a task: sst2 and SST-2-small are of sst2."""
    return sample.replace("-", "").replace("_", "").lower().startswith(task)


def is_outlier(sample: str) -> bool:
    """Return whether a sample, judged by its name, is of the task that the paper leaves out."""
    return is_of_task(sample, OUTLIER)
