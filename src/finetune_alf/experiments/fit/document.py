"""results/fit/<study>.json: the saved classifier, its score and its calibration on the test split."""

from finetune_alf.classifier.calibration import Calibration
from finetune_alf.classifier.record import Kind
from finetune_alf.compute import EnvironmentShare
from finetune_alf.data.spec import TrainOn
from finetune_alf.data.text_columns import TextColumns
from finetune_alf.documents import Document, EncoderIdentity, Estimate, SampleIdentity
from finetune_alf.error_analysis.confusion import Confusion
from finetune_alf.metric_names import MetricName, ProblemType
from finetune_alf.recipe import AnyRecipe, HoulsbyAdapter, Recipe, Truncation


class UsedSchedule(Document):
    """The schedule that a classifier was fitted by; `model` and `version` where it was taken from a registry."""

    name: str
    digest: str
    model: str | None = None
    version: int | None = None


class FitDocument(Document):
    """A classifier for use; `folder` is relative to the root, `why` is empty where params.yaml names the scheme.

    `score` is that of one fit: its interval is about other texts. `rates` are by address, none for a linear model, and
    `n_texts` by split. `encoder` is that of the study, also where the classifier takes none. `model`, `alias` and
    `version` are its place in MLflow's registry; documents of earlier versions have none. `confusion` is that on the
    test texts; None where a text can have several classes, and in documents of earlier versions. `fit` is the digest
    of all that the fit depends on, as in the folder; empty in documents of earlier versions.
    """

    study: str
    folder: str
    scheme: str
    why: str
    kind: Kind
    is_pipeline: bool
    recipe: AnyRecipe
    rates: dict[str, float]
    encoder: EncoderIdentity
    sample: SampleIdentity
    n_texts: dict[str, int]
    label_names: tuple[str, ...]
    max_tokens: int | None
    truncation: Truncation = "head"
    text: TextColumns | None = None
    metric: MetricName
    seed: int
    score: Estimate
    majority_baseline: float
    calibration: Calibration
    confusion: Confusion | None = None
    problem_type: ProblemType = "classification"
    environments: tuple[EnvironmentShare, ...]
    train_on: TrainOn = "train"
    schedule: UsedSchedule | None = None
    model: str = ""
    alias: str = ""
    version: int | None = None
    fit: str = ""

    @property
    def bottlenecks(self) -> HoulsbyAdapter | None:
        """The adapters that are saved beside the encoder."""
        adapter = self.recipe.adapter if isinstance(self.recipe, Recipe) else None
        return adapter if isinstance(adapter, HoulsbyAdapter) else None

    @property
    def trained(self) -> str:
        """What was fitted, in a sentence: the encoder, or a linear model without one."""
        return "logistic regression on TF-IDF" if self.kind == "tfidf" else f"`{self.encoder.name}`"

    @property
    def name(self) -> str:
        """What the classifier is called: its study, and its scheme where the command line named that."""
        return self.folder.rpartition("/")[2]

    @property
    def registered_as(self) -> str:
        """The name and version of its registered model; empty where it is not registered."""
        return f"{self.model} version {self.version}" if self.version else ""
