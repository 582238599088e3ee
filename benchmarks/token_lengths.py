"""How long texts of well-known sets are, in word pieces: makes token_lengths.json, which gpu.py draws lengths from.

    ALF_DATA=FOLDER python benchmarks/token_lengths.py

FOLDER has imdb/train.parquet, sst2/train.csv, yelp/train.jsonl and amazon/train.csv, each with a column `text`. The
tokenizer is that of MiniLM, which is BERT's without capitals; texts are cut at 512 tokens, special ones included. The
file has the counts alone: entry i of a list is the number of texts of i tokens.
"""

import csv
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).with_name("token_lengths.json")
SETS = {
    "imdb": ("imdb/train.parquet", "IMDb reviews, a balanced draw of the training split"),
    "sst2": ("sst2/train.csv", "GLUE SST-2, the training split: phrases"),
    "yelp": ("yelp/train.jsonl", "Yelp reviews"),
    "amazon": ("amazon/train.csv", "Amazon reviews of four kinds of products"),
}
MAX_TOKENS = 512


def main() -> None:
    from engine_setup import encoder_folder

    from finetune_alf.encoder.load import load_encoder

    encoder = load_encoder(encoder_folder("minilm", Path())[0], 2)
    document = {}
    for name, (file, source) in SETS.items():
        tokens = encoder.tokenize(tuple(_texts(Path(os.environ["ALF_DATA"]) / file)), MAX_TOKENS)
        counts = Counter(map(len, tokens.input_ids))
        document[name] = {"source": source, "counts": [counts[length] for length in range(max(counts) + 1)]}
    lines = (f"{json.dumps(name)}: {json.dumps(own)}" for name, own in document.items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _texts(file: Path) -> Iterator[str]:
    if file.suffix == ".parquet":
        from pyarrow.parquet import read_table

        yield from read_table(file, columns=["text"])["text"].to_pylist()
    elif file.suffix == ".csv":
        with file.open(newline="") as rows:
            yield from (row["text"] for row in csv.DictReader(rows))
    else:
        yield from (json.loads(line)["text"] for line in file.read_text().split("\n") if line)


def lengths_like(name: str, n_texts: int, seed: int = 0) -> list[int]:
    """Draw the lengths of so many texts, in tokens, from the counts of a set."""
    counts = json.loads(FILE.read_text())[name]["counts"]
    return random.Random(seed).choices(range(len(counts)), counts, k=n_texts)  # noqa: S311 - no secret


if __name__ == "__main__":
    main()
