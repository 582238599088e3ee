"""What Lee, Tang and Lin found (2019, section 4.1 and the abstract), to print beside ours.

The text gives ranges, not the tables' cells: with 3 to 5 of 12 layers trained the base models keep at least 90 % of the
full model's score on every task but CoLA; with 6 of 24 BERT-large does, with 7 of 24 RoBERTa-large. With the head
alone trained, 64 % of it is kept on average.
"""

from dataclasses import dataclass

KEEP = 0.9
"""The part of the full model's score that the paper's operating points keep."""

HEAD_ONLY_KEEPS = 0.64
"""The part that is kept on average with none of the layers trained (section 4.2)."""

APART = "cola"
"""The task that the paper leaves out of its operating points, as an outlier."""


@dataclass(frozen=True)
class PublishedPoint:
    """The least and the most layers, of `n_layers`, that had to be trained over the paper's tasks."""

    encoder: str
    n_layers: int
    least: int
    most: int

    @property
    def told(self) -> str:
        """As the paper says it: 3 to 5 of 12."""
        few = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
        return f"{few} of {self.n_layers}"


POINTS = (
    PublishedPoint("BERT-base and RoBERTa-base", 12, 3, 5),
    PublishedPoint("BERT-large", 24, 6, 6),
    PublishedPoint("RoBERTa-large", 24, 7, 7),
)


def is_apart(sample: str) -> bool:
    """Say whether a sample is of the task that the paper treats apart, going by its name."""
    return sample.replace("-", "").replace("_", "").startswith(APART)
