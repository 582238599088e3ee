"""results/transfer/<study>/<sample>.json: the scores of the schemes on one sample, and their differences."""

from finetune_alf.comparison import ComparedDifference, SeedsScore
from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document, EncoderIdentity
from finetune_alf.metric_names import MetricName
from finetune_alf.rates import LayerRates


class TransferSample(Document):
    """The sample of a transfer; `majority_baseline` is what one prediction for all its test texts would score.

    `label_names` are its classes by index: none where labels are scores, and none in documents of earlier versions.
    """

    name: str
    digest: str
    n_test: int
    majority_baseline: float
    label_names: tuple[str, ...] = ()


class SchemeResult(Document):
    """A scheme's test scores on one sample: by the metric, and accuracies where labels are classes.

    `difference` is from the baseline, which has none itself. `from_single_rate` is that of `alf-1` from `uniform`,
    where both were fitted. `rates` are those it was fitted by: a registration may choose others later. Linear models
    have none, and documents of earlier versions neither.
    """

    n_seeds: int
    score: SeedsScore
    accuracy: SeedsScore | None
    balanced_accuracy: SeedsScore | None
    difference: ComparedDifference | None
    from_single_rate: ComparedDifference | None = None
    rates: LayerRates | None = None


class TransferDocument(Document):
    """The schemes on one sample; one whose every fit diverged is left out.

    `searched_on` is the sample of the study. Differences have no verdicts here: their family spans samples, and
    `family.judged_transfers` corrects it where the documents meet.
    """

    study: str
    searched_on: str
    encoder: EncoderIdentity
    metric: MetricName
    sample: TransferSample
    environments: tuple[EnvironmentShare, ...]
    schemes: dict[str, SchemeResult]
