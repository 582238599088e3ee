"""The draws of a labels experiment: nested training splits of a prepared sample, and the folders of their files."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finetune_alf.data.redraw import redraw
from finetune_alf.data.sample import Sample, save_sample
from finetune_alf.experiments.labels.spec import LabelsSpec
from finetune_alf.seeds import child_seed


@dataclass(frozen=True)
class Draw:
    """So many training texts of a sample in one of the draws; `seed` draws them, and is that of the fits on them."""

    sample: str
    n_train: int
    index: int
    seed: int
    drawn: Sample

    @property
    def digest(self) -> str:
        """The digest of the drawn sample."""
        return self.drawn.card.digest


def draws(spec: LabelsSpec, samples: Mapping[str, Sample]) -> list[Draw]:
    """Return all draws, one of every size and sample before the next one of any.

    Raises DataError where a sample has too few rows outside of its test split.
    """
    return [
        Draw(name, n_train, index, seed, drawn_sample(spec, sample, n_train, seed))
        for index, seed in enumerate(fit_seeds(spec))
        for name, sample in samples.items()
        for n_train in spec.n_train
    ]


def fit_seeds(spec: LabelsSpec) -> list[int]:
    """Return the seed of each draw, which is that of the fits on it."""
    return [child_seed(spec.seed, "labels", index) for index in range(spec.n_seeds)]


def drawn_sample(spec: LabelsSpec, sample: Sample, n_train: int, seed: int) -> Sample:
    """Draw so many training texts of a sample; DataError where it has too few rows."""
    return redraw(sample, n_train, spec.n_validation, 0, seed)


@contextmanager
def folders_of(drawn: list[Draw], folder: Path) -> Iterator[dict[str, Path]]:
    """Write the draws, and yield their folders by digest; they are removed when the block is through.

    An error or Ctrl-C leaves them to the next start.
    """
    folders = {draw.digest: folder / draw.digest[:16] for draw in drawn}
    for draw in drawn:
        if not (folders[draw.digest] / "card.json").exists():
            save_sample(folders[draw.digest], draw.drawn)
    yield folders
    shutil.rmtree(folder, ignore_errors=True)
