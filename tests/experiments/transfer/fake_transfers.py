"""Transfers that never ran, for what reads their files: two studies, by accuracy and by a correlation."""

from fake_comparisons import compared
from fake_results import ENVIRONMENT, SHARES
from finetune_alf.comparison import SeedsScore
from finetune_alf.documents import EncoderIdentity
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.document import SchemeResult, TransferDocument, TransferSample
from finetune_alf.json_files import write_json, write_jsonl
from finetune_alf.paths import Paths

BERT = "google-bert/bert-base-uncased@86b5"
MINILM = "sentence-encoder@1.0:53aa"
MEANS = {"feature_extraction": 0.5, "baseline": 0.75, "alf-1": 0.81, "alf-2": 0.76, "decayed": 0.7, "uniform": 0.79}
WITHOUT_UNIFORM = tuple(MEANS)[:5]
RATES = {"baseline": 5e-5, "alf-1": 1e-6, "alf-2": 1e-7, "decayed": 4e-5, "uniform": 1e-4}
P = {"feature_extraction": 0.0004, "alf-1": 0.0004, "alf-2": 0.21, "decayed": 0.21, "uniform": 0.21}


def result(
    scheme: str, metric: str, p: float | None = None, n_seeds: int = 5, uniform_p: float | None = None
) -> SchemeResult:
    """A scheme's result; the baseline itself has no difference. `uniform_p` is that of `alf-1` from `uniform`."""
    mean = MEANS[scheme]
    score = SeedsScore(mean=mean, low=mean - 0.03, high=mean + 0.03, sd_seeds=0.01)
    difference = None
    if scheme != "baseline":
        difference = compared(mean - MEANS["baseline"], P[scheme] if p is None else p, n_seeds=n_seeds)
    balanced = SeedsScore(mean=mean - 0.01, low=mean - 0.05, high=mean + 0.02, sd_seeds=0.01)
    has_classes = metric != "spearman"
    return SchemeResult(
        n_seeds=n_seeds,
        score=score,
        accuracy=score if has_classes else None,
        balanced_accuracy=balanced if has_classes else None,
        difference=difference,
        from_single_rate=None
        if uniform_p is None or scheme != "alf-1"
        else compared(mean - MEANS["uniform"], uniform_p, n_seeds=n_seeds),
    )


def document(
    study: str,
    sample: str,
    identity: str = BERT,
    metric: str = "accuracy",
    schemes=WITHOUT_UNIFORM,
    *,
    searched_on: str = "films",
    p: float | None = None,
    n_seeds: int = 5,
    uniform_p: float | None = None,
):
    """The document of a study's transfer to a sample; `p` is that of all differences, where it is given."""
    return TransferDocument(
        environments=SHARES,
        study=study,
        searched_on=searched_on,
        encoder=EncoderIdentity(name="some", identity=identity, n_layers=12),
        metric=metric,
        sample=TransferSample(
            name=sample, digest="0" * 64, n_test=1200, majority_baseline=0.0 if metric == "spearman" else 0.52
        ),
        schemes={scheme: result(scheme, metric, p, n_seeds, uniform_p) for scheme in schemes},
    )


def line(scheme: str, seed: int, *, diverged: bool = False) -> TransferLine:
    """A cell."""
    return TransferLine(
        environment=ENVIRONMENT,
        scheme=scheme,
        seed=seed,
        score=None if diverged else MEANS[scheme],
        accuracy=None if diverged else MEANS[scheme],
        balanced_accuracy=None,
        loss=None if diverged else 0.5,
        seconds=2.0 if scheme == "feature_extraction" else 75.0,
        stopped="diverged" if diverged else "epochs",
        n_trainable_parameters=10,
        frozen_dropout="on",
        epochs=(),
        rates={"embeddings": RATES.get(scheme, 0.0), "head": 1e-3},
    )


DOCUMENTS = (
    document("bert", "films", schemes=tuple(MEANS)[:4]),
    document("bert", "imdb-small"),
    document("bert", "yelp-small", schemes=tuple(MEANS), p=0.06, uniform_p=0.3),
    document("scores", "similarity", MINILM, "spearman", searched_on="similarity", n_seeds=3),
)


def write_transfers(paths: Paths) -> None:
    """Write them as the stage does; one cell diverged."""
    for written in DOCUMENTS:
        n_seeds = written.schemes["baseline"].n_seeds
        cells = [line(scheme, seed) for scheme in written.schemes for seed in range(n_seeds)]
        if written.sample.name == "films":
            cells += [line("decayed", seed, diverged=True) for seed in range(n_seeds)]
        path = paths.document("transfer", written.study, written.sample.name)
        written.write(path)
        write_jsonl(path.with_suffix(".jsonl"), [cell.as_json() for cell in cells])
        write_json(path.with_suffix(".predictions.json"), {"truth": [0, 1], "predictions": {}})
