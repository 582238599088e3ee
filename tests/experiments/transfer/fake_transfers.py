"""Transfers that never ran, for what reads their files: two studies, by accuracy and by a correlation."""

from fake_results import ENVIRONMENT, SHARES
from finetune_alf.documents import EncoderIdentity, Estimate
from finetune_alf.experiments.comparison import ComparedDifference, SeedsScore
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.document import SchemeResult, TransferDocument, TransferSample
from finetune_alf.files import write_json, write_jsonl
from finetune_alf.paths import Paths
from finetune_alf.stats import NO_EVIDENCE

BERT = "google-bert/bert-base-uncased@86b5"
MINILM = "sentence-encoder@1.0:53aa"
MEANS = {"feature_extraction": 0.5, "baseline": 0.75, "alf-1": 0.81, "alf-2": 0.76, "decayed": 0.7}
VERDICTS = {"feature_extraction": "worse", "alf-1": "better"}


def result(scheme: str, metric: str) -> SchemeResult:
    """A scheme's result; `alf-1` is better than the baseline, and feature extraction worse."""
    mean, verdict = MEANS[scheme], VERDICTS.get(scheme, NO_EVIDENCE)
    score = SeedsScore(mean=mean, low=mean - 0.03, high=mean + 0.03, sd_seeds=0.01)
    half, p = (0.04, 0.21) if verdict == NO_EVIDENCE else (0.02, 0.0004)
    gap = mean - MEANS["baseline"]
    difference = ComparedDifference(mean=gap, low=gap - half, high=gap + half, p=p, p_holm=4 * p, verdict=verdict)
    has_classes = metric != "spearman"
    return SchemeResult(
        n_seeds=2,
        score=score,
        accuracy=score if has_classes else None,
        balanced_accuracy=Estimate(mean=mean - 0.01, low=mean - 0.05, high=mean + 0.02) if has_classes else None,
        difference=None if scheme == "baseline" else difference,
    )


def document(study: str, sample: str, identity: str, metric: str = "accuracy", schemes=tuple(MEANS)):
    """The document of a study's transfer to a sample."""
    return TransferDocument(
        environments=SHARES,
        study=study,
        encoder=EncoderIdentity(name="some", identity=identity, n_layers=12),
        metric=metric,
        sample=TransferSample(
            name=sample, digest="0" * 64, n_test=1200, majority_baseline=0.0 if metric == "spearman" else 0.52
        ),
        schemes={scheme: result(scheme, metric) for scheme in schemes},
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
        rates={},
    )


DOCUMENTS = (
    document("bert", "films", BERT, schemes=tuple(MEANS)[:4]),
    document("bert", "imdb-small", BERT),
    document("scores", "similarity", MINILM, "spearman"),
)


def write_transfers(paths: Paths) -> None:
    """Write them as the stage does; one cell diverged."""
    for written in DOCUMENTS:
        n_seeds = 3 if written.study == "scores" else 2
        cells = [line(scheme, seed) for scheme in written.schemes for seed in range(n_seeds)]
        if written.sample.name == "films":
            cells += [line("decayed", seed, diverged=True) for seed in range(n_seeds)]
        path = paths.document("transfer", written.study, written.sample.name)
        written.write(path)
        write_jsonl(path.with_suffix(".jsonl"), [cell.as_json() for cell in cells])
        write_json(path.with_suffix(".predictions.json"), {"truth": [0, 1], "predictions": {}})
