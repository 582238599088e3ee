"""The sizes of splits that have a table of their own: guesses follow from the training table alone."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune_alf.data.duplicates import drop_duplicates
from finetune_alf.data.labels import apply_labels
from finetune_alf.data.source import open_source
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.starting.sizes import MOST


def sizes_of_own_splits(sample: Mapping[str, Any], n_rows: Mapping[str, int], root: Path) -> dict[str, Any]:
    """Return the fields of a sample that follow from the tables of its splits, whose numbers of rows are `n_rows`.

    All rows of a table of test texts are used, up to a limit, and no more validation rows than that table has. Where it
    has none that can be drawn, `prepare` says why.
    """
    found: dict[str, Any] = {}
    if "test" in n_rows:
        found["n_test"] = MOST["test"] if n_rows["test"] > MOST["test"] else "all"
    if "validation" in n_rows:
        n = _n_that_can_be_drawn(sample, "validation", root)
        found["n_validation"] = min(sample["n_validation"], n) or sample["n_validation"]
    return found


def _n_that_can_be_drawn(sample: Mapping[str, Any], split: str, root: Path) -> int:
    """Return how many rows of a split can be drawn from its own table; faults of rows are left to `prepare`."""
    spec = SampleSpec.model_validate(sample)
    try:
        source = open_source(spec.source, root, spec.problem_type, "drop").rows()
        rows = apply_labels(source, spec.labels).rows
    except DataError:
        return int(sample[f"n_{split}"])
    labels = rows.splits[split].labels if split in rows.splits else ()
    counts = Counter(labels[index] for index in drop_duplicates(rows, "drop").kept.get(split, ()))
    is_even = spec.balance == "even" and spec.problem_type == "classification"
    return len(rows.label_names) * min(counts[name] for name in rows.label_names) if is_even else counts.total()
