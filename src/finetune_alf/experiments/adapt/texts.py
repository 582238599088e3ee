"""The texts of further pre-training: those that an encoder is trained on, and those that are held out to measure it.

Only the training split of a sample is used. Texts of its other splits could be used without their labels, but an
encoder that has read the texts it is scored on would be scored too high for new texts.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from finetune_alf.checksums import digest
from finetune_alf.data.mixture import AnySample
from finetune_alf.data.unlabelled import read_texts
from finetune_alf.errors import DataError
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.seeds import child_seed

SCORED_SPLITS = ("validation", "confirmation", "test")

HELD_OUT_FRAC = 0.05
MAX_HELD_OUT = 200
"""Enough texts to see a loss fall, since the same tokens are masked each time; more would cost as much as training."""


@dataclass(frozen=True)
class AdaptTexts:
    """Distinct texts to train on and to hold out; `n_excluded` texts of the source are also in a scored split."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    source: str
    source_digest: str
    held_out_from: str
    n_excluded: int = 0

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all texts, in order."""
        return digest([self.train, self.held_out])


def select_texts(name: str, spec: AdaptSpec, sample: AnySample, root: Path) -> AdaptTexts:
    """Return the texts of `adapt.<name>`; DataError if there are too few, or a file cannot be read.

    A text of a training pair may be scored in another pair, or in another task: it is excluded, as it is from a file.
    """
    validation: list[str] = []
    if spec.file is not None:
        read = read_texts(spec.file, spec.column, root, spec)
        candidates, source, source_digest = _distinct(read.texts), spec.file, read.digest
    else:
        candidates, source_digest = _distinct(_texts(sample, "train")), sample.card.digest
        source = f"sample {sample.name}, training split"
        validation = list(_distinct(_texts(sample, "validation")).values())
    scored = _distinct(_texts(sample, *SCORED_SPLITS))
    unscored = [text for key, text in candidates.items() if key not in scored]
    _check_enough(f"adapt.{name}.{'file' if spec.file else 'sample'}", len(unscored), 1 if validation else 2)
    held_out = _held_out(validation or unscored, 1.0 if validation else HELD_OUT_FRAC, spec.seed)
    return AdaptTexts(
        train=tuple(text for text in unscored if text not in held_out),
        held_out=tuple(held_out),
        source=source,
        source_digest=source_digest,
        held_out_from=f"sample {sample.name}, validation split" if validation else source,
        n_excluded=len(candidates) - len(unscored),
    )


def _texts(sample: AnySample, *splits: str) -> Iterator[str]:
    """Yield the texts of these splits of all tasks; a pair gives two texts."""
    for task in sample.tasks.values():
        for split in splits:
            for text in task.splits[split].texts:
                yield from (text,) if isinstance(text, str) else text


def _distinct(texts: Iterable[str]) -> dict[str, str]:
    """Return the first of texts that differ in white space only, by their words."""
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(" ".join(text.split()), text)
    return first


def _check_enough(key: str, n_texts: int, n_needed: int) -> None:
    if n_texts < n_needed:
        raise DataError(
            f"{key}: must give {n_needed} or more texts that no other split of the sample has, but got {n_texts}. "
            "Name another source of texts."
        )


def _held_out(texts: Sequence[str], frac: float, seed: int) -> dict[str, None]:
    """Draw this fraction of the texts, at most MAX_HELD_OUT, in their order."""
    n = min(MAX_HELD_OUT, max(1, round(frac * len(texts))))
    rng = random.Random(child_seed(seed, "held out"))  # noqa: S311 - a draw of texts
    return dict.fromkeys(texts[index] for index in sorted(rng.sample(range(len(texts)), n)))
