"""Compare the texts per second of `finetune-alf predict` with those of transformers' own pipeline.

    python benchmarks/predict.py --lines predict.jsonl --table predict.md   about ten minutes on two quiet cores
    python benchmarks/predict.py --read predict.jsonl                       the table again, without a run

One classifier, MiniLM with a head of random weights, saved as `finetune-alf fit` saves it; both sides read the same
folder, in one process. The pipeline is given a list of texts and `truncation=True`: a text at a time, as is its
default, and in batches. Predict reads a CSV file and writes another one. Sides take turns; loading and a first pass
over a few texts are not timed. The page says how far labels and probabilities agree. The matrix rate is measured
between the turns: it bounds what exact arithmetic can reach. One more turn of each side is profiled at the end.
"""

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from predict_profile import seconds_by_part
from predict_table import ARMS, WORKS, Work, table

from finetune_alf.files import write_text

HERE = Path(__file__).resolve().parent.parent
N_WARM_UP = 16

Record = dict[str, Any]
Scores = list[tuple[str, float]]
"""The class of each text, and its probability."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--read", type=Path, metavar="JSONL", help="print the table of this file, without a run")
    parser.add_argument("--lines", type=Path, metavar="FILE", help="append each measurement here, as JSON Lines")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table here")
    parser.add_argument("--work", choices=WORKS, action="append", help="only these; all by default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--texts", type=int, help="so many texts of each work, in place of its own number")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    if args.read:
        records = [json.loads(line) for line in args.read.read_text().splitlines()]
    else:
        records = []
        for record in measure(args):
            records.append(record)
            print(json.dumps(record), file=sys.stderr, flush=True)
            if args.lines:
                with args.lines.open("a") as file:
                    file.write(json.dumps(record) + "\n")
    if args.table:
        write_text(args.table, table(records))
    print(table(records))
    return 0


def measure(args: argparse.Namespace) -> Iterator[Record]:
    """Yield the record of the machine, then those of each work: agreement, turns, matrix rates."""
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    yield _machine()
    for name in args.work or WORKS:
        work = WORKS[name]
        texts = _texts(work, args.texts or work.n_texts)
        if texts is None:
            print(f"{name}: left out, as ALF_DATA does not name a folder with {work.file}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            yield from _compare(work, texts, Path(folder), args.repeats)


def _compare(work: Work, texts: Sequence[str], folder: Path, repeats: int) -> Iterator[Record]:
    sides = Sides(work, texts, folder)
    yield {"kind": "work", "work": work.name, **sides.sizes()}
    scores = {arm: run(texts[:N_WARM_UP]) for arm, run in sides.arms.items()}
    for repeat in range(repeats):
        for arm, run in sides.arms.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            scores[arm] = run(texts)
            times = {"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu_started}
            yield {"kind": "turn", "work": work.name, "arm": arm, "repeat": repeat, **times, "load": os.getloadavg()[0]}
        yield {"kind": "rate", "work": work.name, "repeat": repeat, "flops_per_s": sides.matrix_rate()}
    for arm, own in scores.items():
        yield {"kind": "agreement", "work": work.name, "arm": arm, **agreement(scores["pipeline"], own)}
    for arm, run in sides.arms.items():
        yield {"kind": "profile", "work": work.name, "arm": arm, "cpu_s": seconds_by_part(partial(run, texts))}


def agreement(theirs: Scores, ours: Scores) -> Record:
    """Return how many texts have another class, and the largest difference of a probability."""
    pairs = list(zip(theirs, ours, strict=True))
    return {
        "n_other_class": sum(one[0] != other[0] for one, other in pairs),
        "largest_difference": max(abs(one[1] - other[1]) for one, other in pairs),
    }


@dataclass
class Sides:
    """Both sides of a work, on one saved classifier."""

    work: Work
    texts: Sequence[str]
    folder: Path

    def __post_init__(self) -> None:
        from transformers import pipeline

        from finetune_alf.classifier.folder import load_classifier

        save(self.folder / "model", self.work.max_tokens)
        self.classifier = load_classifier(self.folder / "model")
        self.pipeline = pipeline("text-classification", str(self.folder / "model"), device="cpu")
        self.arms: dict[str, Callable[[Sequence[str]], Scores]] = {
            arm: self._predict if batch is None else self._pipeline(batch) for arm, (_, batch) in ARMS.items()
        }

    def _pipeline(self, batch: int) -> Callable[[Sequence[str]], Scores]:
        def run(texts: Sequence[str]) -> Scores:
            found = self.pipeline(list(texts), truncation=True, batch_size=batch)
            return [(each["label"], each["score"]) for each in found]

        return run

    def _predict(self, texts: Sequence[str]) -> Scores:
        """Label a file as the command does, and read back what it wrote."""
        from finetune_alf.classifier.labelling import added_columns, labelled_chunks
        from finetune_alf.data.table import open_table, writing

        given, out = self.folder / f"{len(texts)}.csv", self.folder / "out.csv"
        if not given.exists():
            with given.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("text",), *((text,) for text in texts)])
        source = open_table(given, ("text",), "")
        columns = (*source.columns, *added_columns(source.columns, self.classifier.label_names))
        with writing(out, columns) as write:
            for chunk in labelled_chunks(self.classifier, source, ("text",)):
                write(chunk.rows)
        with out.open(encoding="utf-8", newline="") as file:
            return [(row["label"], float(row["probability"])) for row in csv.DictReader(file)]

    def sizes(self) -> Record:
        """Return the numbers of texts and tokens, and the operations that both sides need at least."""
        from engine_flops import parts
        from engine_records import Shape

        config = self.classifier.encoder.model.config
        shape = Shape(
            n_layers=config.num_hidden_layers, hidden=config.hidden_size, inner=config.intermediate_size, n_classes=2
        )
        lengths = self.classifier.tokens(list(self.texts)).lengths.tolist()
        layers = [part.forward for part in parts(shape, lengths)]
        return {
            "n_texts": len(lengths),
            "n_tokens": sum(lengths),
            "n_full": sum(length == self.work.max_tokens for length in lengths),
            "needed_flops": sum(layers),
            "pipeline_flops": layers[0] * shape.n_layers + layers[-1],
        }

    def matrix_rate(self) -> float:
        """Return the highest rate of this encoder's matrix products, in the classifier's precision."""
        import torch
        from engine_machine import best_rate

        config = self.classifier.encoder.model.config
        h, inner = config.hidden_size, config.intermediate_size
        sizes = tuple((rows, *one) for rows in (512, 2048, 8192) for one in ((h, h), (h, inner), (inner, h)))
        dtype = torch.bfloat16 if self.classifier.precision == "bf16" else torch.float32
        return best_rate("cpu", dtype, sizes)


def save(folder: Path, max_tokens: int) -> None:
    """Save MiniLM with a head of random weights, as `finetune-alf fit` saves a classifier of so many tokens."""
    import torch

    from finetune_alf.classifier.calibration import calibration_of
    from finetune_alf.classifier.classifier import Classifier
    from finetune_alf.classifier.folder import write_folder
    from finetune_alf.compute.resolved import resolve_precision
    from finetune_alf.encoder.load import load_encoder
    from finetune_alf.experiments.registry import load_params

    params = load_params(HERE / "params.yaml")
    recipe = params.studies["minilm"].recipe.model_copy(update={"max_tokens": max_tokens})
    encoder = load_encoder(params.encoders["minilm"], 2)
    encoder.reset(1)
    with torch.no_grad():
        encoder.model.classifier.weight.mul_(50)  # so that classes and probabilities differ
    precision = resolve_precision("auto", torch.device("cpu"))
    classifier = Classifier(encoder, ("negative", "positive"), max_tokens, "first", precision)
    calibration = calibration_of(1.0, classifier.logits(("good", "bad")), (0, 1), "test")
    facts = {"scheme": "random", "recipe": recipe, "encoder": encoder.identity, "sample": "0", "fit": "0"}
    write_folder(folder, classifier, calibration=calibration, **facts)


def _texts(work: Work, n_texts: int) -> list[str] | None:
    """Return texts at even distances in the file of a work; None where that is not there."""
    from finetune_alf.data.readers.table import read_table

    path = Path(os.environ.get("ALF_DATA", "")) / work.file
    if not os.environ.get("ALF_DATA") or not path.is_file():
        return None
    texts = [str(text) for _, (text,) in read_table(path, ("text",))]
    return list(islice(texts[:: max(len(texts) // n_texts, 1)], n_texts))


def _machine() -> Record:
    from importlib import metadata

    import torch
    from engine_machine import cpu_name

    from finetune_alf.compute.resolved import resolve_precision

    return {
        "kind": "machine",
        "started": time.strftime("%Y-%m-%d %H:%M"),
        "cpu": cpu_name(),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "precision": resolve_precision("auto", torch.device("cpu")),
        "versions": {name: metadata.version(name) for name in ("torch", "transformers", "tokenizers")},
    }


if __name__ == "__main__":
    sys.exit(main())
