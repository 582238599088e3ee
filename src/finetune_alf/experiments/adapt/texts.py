"""Which texts an encoder is trained further on, and which are held out to see what it learned.

Only the training split of a sample is learned from. The texts of its other splits could be had without their labels,
too, but an encoder that has read the very texts it is scored on would be scored too well for texts that are new.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from finetune_alf.data.mixture import AnySample
from finetune_alf.data.unlabelled import read_texts
from finetune_alf.errors import DataError
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.files import digest
from finetune_alf.seeds import child_seed

SCORED = ("validation", "confirmation", "test")

HELD_OUT_FRAC = 0.05
MAX_HELD_OUT = 200
"""Enough texts to see a loss fall, since the same tokens are hidden each time; more would cost as much as training."""


@dataclass(frozen=True)
class AdaptTexts:
    """Texts to learn from and texts to measure on, each once; `n_left_out` stand in a split that is scored on, too."""

    learned: tuple[str, ...]
    held_out: tuple[str, ...]
    source: str
    source_digest: str
    held_out_from: str
    n_left_out: int = 0

    @cached_property
    def digest(self) -> str:
        """The SHA-256 over all of them, in order."""
        return digest([self.learned, self.held_out])


def texts_of(name: str, spec: AdaptSpec, sample: AnySample, root: Path) -> AdaptTexts:
    """Return the texts of `adapt.<name>`; DataError where there are too few, or a file cannot be read.

    A text of a training pair may be scored on in another pair, or at another task: it is left out as it is of a file.
    """
    unseen: list[str] = []
    if spec.file is not None:
        read = read_texts(spec.file, spec.column, root)
        offered, source, source_digest = _distinct(read.texts), spec.file, read.digest
    else:
        offered, source_digest = _distinct(_texts(sample, "train")), sample.card.digest
        source = f"sample {sample.name}, training split"
        unseen = list(_distinct(_texts(sample, "validation")).values())
    scored = _distinct(_texts(sample, *SCORED))
    fair = [text for key, text in offered.items() if key not in scored]
    _check_enough(f"adapt.{name}.{'file' if spec.file else 'sample'}", len(fair), 1 if unseen else 2)
    held_out = _held_out(unseen or fair, 1.0 if unseen else HELD_OUT_FRAC, spec.seed)
    return AdaptTexts(
        learned=tuple(text for text in fair if text not in held_out),
        held_out=tuple(held_out),
        source=source,
        source_digest=source_digest,
        held_out_from=f"sample {sample.name}, validation split" if unseen else source,
        n_left_out=len(offered) - len(fair),
    )


def _texts(sample: AnySample, *splits: str) -> Iterator[str]:
    """Yield the texts of some splits, both of a pair one by one, of all tasks."""
    for task in sample.tasks.values():
        for split in splits:
            for text in task.splits[split].texts:
                yield from (text,) if isinstance(text, str) else text


def _distinct(texts: Iterable[str]) -> dict[str, str]:
    """Return the first of the texts that differ in white space alone, by what they have in common."""
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(" ".join(text.split()), text)
    return first


def _check_enough(where: str, n_texts: int, n_needed: int) -> None:
    if n_texts < n_needed:
        raise DataError(
            f"{where}: must give {n_needed} or more texts that no other split of the sample has, to learn from and to "
            f"measure on, but got {n_texts}. Name another source of texts."
        )


def _held_out(texts: Sequence[str], frac: float, seed: int) -> dict[str, None]:
    """Draw this part of the texts to measure on, MAX_HELD_OUT at most; they keep their order."""
    n = min(MAX_HELD_OUT, max(1, round(frac * len(texts))))
    draw = random.Random(child_seed(seed, "held out"))  # noqa: S311 - a draw of texts
    return dict.fromkeys(texts[index] for index in sorted(draw.sample(range(len(texts)), n)))
