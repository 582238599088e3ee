"""results/transfer/<study>/<sample>.json: what the schemes scored on one sample, and their differences."""

from finetune_alf.documents import Document, EncoderIdentity, Estimate
from finetune_alf.experiments.comparison import ComparedDifference, SeedsScore


class TestSample(Document):
    """The sample that a transfer was tested on; `majority` is what its commonest class, or its mean score, scores."""

    name: str
    digest: str
    n_test: int
    majority: float


class SchemeResult(Document):
    """A scheme's test scores on one sample: by the metric, and accuracies where labels are classes.

    There is no difference for the baseline itself.
    """

    n_seeds: int
    score: SeedsScore
    accuracy: SeedsScore | None
    balanced_accuracy: Estimate | None
    difference: ComparedDifference | None


class TransferDocument(Document):
    """The schemes on one sample; those of which no seed converged are left out."""

    study: str
    encoder: EncoderIdentity
    metric: str
    sample: TestSample
    schemes: dict[str, SchemeResult]
