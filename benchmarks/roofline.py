"""Compare the time of each part of a training step with the least that its operations and memory traffic take.

    python benchmarks/roofline.py --json roofline.json --table roofline.md     two minutes
    python benchmarks/roofline.py --read roofline.json                         the table again, without a run

A fit trains on one batch of a work, epoch after epoch, so that every step has the same shapes; at the end it evaluates
the validation split. The seconds of a part are the CPU time of its operators. Its bound is the largest of three times:
operations over the measured rate of matrix products, bytes of weights, gradients and optimizer state over the measured
bandwidth of memory, bytes of activations over that of the cache. `roofline_counts.py` counts them. Nothing is frozen,
and there is one thread. ALF_DATA is as for `engine.py`.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from engine_machine import best_rate, cpu_name
from engine_setup import EncoderName, Preparation, prepare
from engine_work import WORKS, Work
from roofline_counts import BatchShape, Count, EncoderShape, evaluation_count, step_counts
from roofline_profile import MASKS, OTHER, Times

from finetune_alf.compute import ComputeSpec, Precision, resolve
from finetune_alf.data.sample import load_sample
from finetune_alf.encoder.load import Encoder, load_encoder
from finetune_alf.files import write_text
from finetune_alf.json_files import read_json, write_json
from finetune_alf.train.batches import TokenizedSplit, batches_by_length
from finetune_alf.train.evaluate import EVALUATION_BATCH
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.pack import PackedBatch, pack
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.parts import TaskSplits

NAMES = ("mini", "sst2", "imdb-512")
N_STEPS = {"mini": 15, "sst2": 8, "imdb-512": 3}
"""Steps of a work that are timed, and again profiled."""

SIZES = ((192, 384, 1536), (256, 1536, 384), (512, 512, 512), (1024, 384, 1536), (1024, 1024, 1024))
"""Matrix products by which their rate is measured: short ones, which a busy machine seldom interrupts."""

MEMORY_BYTES, CACHE_BYTES = 1 << 26, (1 << 17, 1 << 18, 1 << 19)
"""Sizes of the tensors by which bandwidths are measured."""

EVALUATION_PART = "evaluation"

Document = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--encoder", choices=["minilm", "tiny"], default="minilm")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the tables here")
    parser.add_argument("--read", type=Path, metavar="JSON", help="print the tables of this file, without a run")
    args = parser.parse_args()
    document = read_json(args.read) if args.read else measure(args.work, args.encoder)
    if args.json:
        write_json(args.json, document)
    if args.table:
        write_text(args.table, table(document))
    print(table(document), end="")
    return 0


def measure(names: Collection[str], encoder_name: EncoderName) -> Document:
    """Measure the machine, then each work; and the machine again, since others may use it."""
    torch.set_num_threads(1)  # so that CPU time is the time of a core
    data = os.environ.get("ALF_DATA")
    works = [work for work in WORKS if work.name in names and (data or work.source == "mini")]
    precision = resolve(ComputeSpec(device="cpu", n_threads=1)).precision
    document: Document = {
        "started": time.strftime("%Y-%m-%d %H:%M"),
        "cpu": cpu_name(),
        "precision": precision,
        "load": os.getloadavg()[0],
    }
    before = _rates(precision)
    with tempfile.TemporaryDirectory() as folder:
        on_disk = tuple(work.name for work in works)
        prepared = prepare(Preparation(encoder=encoder_name, mode="quick", works=on_disk, data=data, root=folder))
        encoder = load_encoder(prepared.encoder, n_labels=2)
        samples = {work.name: Path(prepared.texts[work.name].sample) for work in works}
        document["works"] = [_measure_work(work, encoder, samples[work.name], precision) for work in works]
    after = _rates(precision)
    return document | {"rates": {name: max(before[name], after[name]) for name in before}}


def _rates(precision: Precision) -> dict[str, float]:
    """Measure the matrix rate in FLOP/s, and bandwidths in bytes/s."""
    return {
        "flops": best_rate("cpu", torch.bfloat16 if precision == "bf16" else torch.float32, SIZES),
        "memory_bytes": bandwidth(MEMORY_BYTES),
        "cache_bytes": max(map(bandwidth, CACHE_BYTES)),
    }


def bandwidth(n_bytes: int, seconds: float = 0.3) -> float:
    """Return the bytes read and written per second: the faster one of a copy and a product in place."""
    source, target = torch.ones(n_bytes // 4), torch.zeros(n_bytes // 4)
    repeats = range(max(1, (1 << 24) // n_bytes))

    def copy() -> None:
        for _ in repeats:
            target.copy_(source)

    def multiply() -> None:
        for _ in repeats:
            target.mul_(1.0)

    fastest, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < seconds or fastest == float("inf"):
        for run in (copy, multiply):
            before = time.perf_counter()
            run()
            fastest = min(fastest, time.perf_counter() - before)
    return 2 * n_bytes * len(repeats) / fastest


def _measure_work(work: Work, encoder: Encoder, folder: Path, precision: Precision) -> Document:
    splits = load_sample(folder).splits
    train, few, validation = (
        tokenized(encoder, split.texts[:n], split.labels[:n], work.max_tokens)
        for split, n in ((splits["train"], work.batch), (splits["validation"], 2), (splits["validation"], None))
    )
    recipe = work.recipe().model_copy(update={"epochs": N_STEPS[work.name]})
    tasks = TaskSplits(train, few, validation)
    weight_shapes = {tuple(parameter.shape) for parameter in encoder.model.parameters()}
    whole, profile = Times(), Times(weight_shapes, is_profile=True)
    for times in (whole, profile):
        with times.of_fits():
            fit(encoder, tasks, recipe, 0, precision=precision)
    counts = counts_of(encoder, train, validation, 2 if precision == "bf16" else 4)
    return {
        "work": work.name,
        "title": work.title,
        "n_texts": len(train),
        "n_tokens": int(train.lengths.sum()),
        "n_validation": len(validation),
        "n_steps": recipe.epochs,
        "parameters": encoder_shape(encoder, [train, validation]).parameters,
        "step_s": median(whole.steps),
        "evaluation_s": whole.evaluations[-1],
        "seconds": profile.parts() | {MASKS: median(whole.masks)},
        "counts": {part: asdict(count) for part, count in counts.items()},
    }


def tokenized(encoder: Encoder, texts: Any, labels: Any, max_tokens: int) -> TokenizedSplit:
    """Return texts, at most so many tokens of each, with their labels."""
    table = TokenTable.of(encoder.tokenize(tuple(texts), max_tokens), torch.device("cpu"))
    return TokenizedSplit(table, torch.tensor(labels))


def counts_of(encoder: Encoder, train: TokenizedSplit, validation: TokenizedSplit, itemsize: int) -> dict[str, Count]:
    """Return the counts of a step on all training texts, and of an evaluation of the validation texts."""
    shape = encoder_shape(encoder, [train, validation])
    batches = batches_by_length(validation.lengths, EVALUATION_BATCH)
    evaluation = evaluation_count(shape, [_batch(pack(validation.table, rows)) for rows in batches], itemsize)
    step = step_counts(shape, _batch(pack(train.table, range(len(train)))), itemsize)
    return step | {EVALUATION_PART: evaluation}


def encoder_shape(encoder: Encoder, splits: list[TokenizedSplit]) -> EncoderShape:
    """Return an encoder's sizes in a fit of these splits, where the table of words has those that occur."""
    config = encoder.model.config
    n_words = len(torch.unique(torch.cat([split.table.input_ids for split in splits])))
    rows = n_words + config.max_position_embeddings + config.type_vocab_size
    return EncoderShape(encoder.n_layers, config.hidden_size, config.intermediate_size, rows, config.num_labels)


def _batch(packed: PackedBatch) -> BatchShape:
    groups = tuple((group.n_texts, group.longest) for group in packed.groups)
    return BatchShape(len(packed.token_index), len(packed.rows), groups)


def bound(count: Mapping[str, int], rates: Mapping[str, float]) -> float:
    """Return the least seconds that a count takes: operations and both kinds of traffic may overlap."""
    return max(count[name] / rates[name] for name in rates)


def table(document: Document) -> str:
    """Return the page."""
    rates = document["rates"]
    lines = [
        "# A training step and its bounds",
        "",
        f"{document['started']} on {document['cpu']}, one thread, {document['precision']}, load "
        f"{document['load']:.1f} at the start. Measured: {rates['flops'] / 1e9:.0f} GFLOP/s of matrix products, "
        f"{rates['memory_bytes'] / 1e9:.0f} GB/s of memory, {rates['cache_bytes'] / 1e9:.0f} GB/s of the cache.",
        "",
        "*Bound*: the largest of operations, memory traffic and cache traffic over those rates. Milliseconds are CPU "
        "time: of a step the median, of its operators the sum of each one's median over the steps, of an evaluation "
        "that of one. The line *all else* is the rest of a step.",
    ]
    for work in document["works"]:
        lines += ["", f"## {work['title']}", "", *_section(work, rates)]
    return "\n".join(lines) + "\n"


def _section(work: Document, rates: Mapping[str, float]) -> Iterator[str]:
    seconds, step, counts = work["seconds"], work["step_s"], work["counts"]
    bounds = {part: bound(count, rates) for part, count in counts.items()}
    counted = [part for part in counts if part in seconds]
    yield (
        f"A batch of {work['n_texts']} texts, {work['n_tokens']} tokens; {work['parameters'] / 1e6:.1f} million "
        f"parameters; {work['n_steps']} steps."
    )
    yield ""
    yield "| part | ms | of the step | GFLOP | memory, MB | cache, MB | bound, ms | measured/bound |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for part in counted:
        yield _row(part, seconds[part], f"{seconds[part] / step:.0%}", counts[part], bounds[part])
    rest = step - sum(seconds[part] for part in counted) - seconds[MASKS]
    for part, own in ((MASKS, seconds[MASKS]), (OTHER, rest)):
        yield f"| {part} | {own * 1e3:.1f} | {own / step:.0%} | | | | | |"
    least = sum(bounds[part] for part in counted)
    yield f"| the step | {step * 1e3:.1f} | 100% | | | | {least * 1e3:.1f} | {step / least:.1f} |"
    evaluation = f"evaluation of {work['n_validation']} texts"
    yield _row(evaluation, work["evaluation_s"], "", counts[EVALUATION_PART], bounds[EVALUATION_PART])


def _row(part: str, seconds: float, share: str, count: Mapping[str, int], least: float) -> str:
    counted = f"{count['flops'] / 1e9:.2f} | {count['memory_bytes'] / 1e6:.1f} | {count['cache_bytes'] / 1e6:.1f}"
    ratio = f"{seconds / least:.1f}" if least else ""
    return f"| {part} | {seconds * 1e3:.1f} | {share} | {counted} | {least * 1e3:.1f} | {ratio} |"


if __name__ == "__main__":
    sys.exit(main())
