"""Which texts an encoder is trained further on, and which are held out to see what it learned.

Only the training split of a sample is learned from. The texts of its other splits could be had without their labels,
too, but an encoder that has read the very texts it is scored on would be scored too well for texts that are new.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from finetune_alf.adapt.spec import AdaptSpec
from finetune_alf.data.mixture import Drawn
from finetune_alf.data.rows import Text
from finetune_alf.data.unlabelled import read_texts
from finetune_alf.errors import DataError
from finetune_alf.files import digest
from finetune_alf.seeds import child_seed

HELD_OUT_FRAC = 0.05
MAX_HELD_OUT = 200
"""Enough texts to see a loss fall, since the same tokens are hidden each time; more would cost as much as training."""


@dataclass(frozen=True)
class AdaptTexts:
    """Texts to learn from, texts to measure on; `n_left_out` stood in the file and in a split that is scored on."""

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


def texts_of(name: str, spec: AdaptSpec, sample: Drawn, root: Path) -> AdaptTexts:
    """Return the texts of `adapt.<name>`; DataError where there are too few, or a file cannot be read."""
    if spec.file is not None:
        return _from_file(name, spec, sample, root)
    learned, unseen = _texts(sample, "train"), _texts(sample, "validation")
    source, held_out_from = f"sample {sample.name}, training split", f"sample {sample.name}, validation split"
    if unseen:
        held_out = unseen[:MAX_HELD_OUT]
    else:
        learned, held_out = _apart(f"adapt.{name}.sample", learned, spec.seed)
        held_out_from = source
    return AdaptTexts(learned, held_out, source, sample.card.digest, held_out_from)


def _from_file(name: str, spec: AdaptSpec, sample: Drawn, root: Path) -> AdaptTexts:
    assert spec.file is not None  # noqa: S101 - the caller's condition
    read = read_texts(spec.file, spec.column, root)
    scored = {_key(text) for split in ("validation", "confirmation", "test") for text in _texts(sample, split)}
    fair = [text for text in read.texts if _key(text) not in scored]
    learned, held_out = _apart(f"adapt.{name}.file", fair, spec.seed)
    return AdaptTexts(learned, held_out, spec.file, read.digest, spec.file, len(read.texts) - len(fair))


def _texts(sample: Drawn, split: str) -> tuple[str, ...]:
    """Return a split's texts, both of a pair one by one, of all tasks."""
    return tuple(part for task in sample.tasks.values() for text in task.splits[split].texts for part in _parts(text))


def _parts(text: Text) -> Iterable[str]:
    return (text,) if isinstance(text, str) else text


def _apart(where: str, texts: Sequence[str], seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take a few texts out to measure on; the others keep their order."""
    if len(texts) < 2:
        raise DataError(
            f"{where}: must give at least 2 texts that no other split of the sample has, one to learn from and one to "
            f"measure on, but got {len(texts)}. Name another source of texts."
        )
    n = min(MAX_HELD_OUT, max(1, round(HELD_OUT_FRAC * len(texts))))
    draw = random.Random(child_seed(seed, "held out"))  # noqa: S311 - a draw of texts
    chosen = set(draw.sample(range(len(texts)), n))
    learned = tuple(text for index, text in enumerate(texts) if index not in chosen)
    return learned, tuple(texts[index] for index in sorted(chosen))


def _key(text: str) -> str:
    return " ".join(text.split())
