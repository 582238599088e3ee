"""The replicates of a budget: their order, their identities, their draws and the folders that they need meanwhile."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from finetune_alf.checksums import digest
from finetune_alf.data.prepare import counts_of
from finetune_alf.data.redraw import redraw
from finetune_alf.data.sample import Sample, Split, rows_digest, save_sample
from finetune_alf.documents import EncoderIdentity
from finetune_alf.experiments.budget.arms import arms
from finetune_alf.experiments.budget.spec import BudgetSpec
from finetune_alf.paths import Paths
from finetune_alf.seeds import child_seed

KEY, LEDGER = "budget", "jobs.jsonl"


@dataclass(frozen=True)
class Replicate:
    """One replicate of a prepared sample; `identity` is the digest of all that changes it."""

    sample: Sample
    index: int
    seed: int
    identity: str

    @property
    def key(self) -> str:
        """Its name: sample and index."""
        return f"{self.sample.name}/{self.index}"


def replicates(spec: BudgetSpec, samples: Mapping[str, Sample], encoder: EncoderIdentity) -> list[Replicate]:
    """Return all replicates, one of each sample before the next one of any, so that a part of them is balanced."""
    return [
        Replicate(
            sample,
            index,
            child_seed(spec.seed, "replicate", sample.card.digest, index),
            digest(spec.replicate_identity(sample.card.digest, encoder, index)),
        )
        for index in range(spec.n_replicates)
        for sample in samples.values()
    ]


def drawn_sample(spec: BudgetSpec, replicate: Replicate) -> Sample:
    """Draw a replicate's splits; DataError when the prepared sample has too few rows."""
    sizes = (spec.n_train, spec.n_validation, spec.n_confirmation)
    return redraw(replicate.sample, *sizes, child_seed(replicate.seed, "draw"))


def search_sample(spec: BudgetSpec, drawn: Sample) -> Sample:
    """Return a drawn sample with the test texts that the fits of a search are scored on: the first ones."""
    test = drawn.splits["test"]
    if spec.n_search_test is None or spec.n_search_test >= len(test.texts):
        return drawn
    n = spec.n_search_test
    names, splits = drawn.card.label_names, {**drawn.splits, "test": Split(test.texts[:n], test.labels[:n])}
    counts = {**drawn.card.counts, "test": counts_of(splits["test"], names)}
    card = drawn.card.model_copy(update={"counts": counts, "digest": rows_digest(names, splits)})
    return Sample(drawn.name, card, splits)


def workplace_of(paths: Paths, name: str, replicate: Replicate) -> Path:
    """Return the folder that a replicate of `budget.<name>` needs until it is finished."""
    return paths.studies / f"{KEY}-{name}" / replicate.identity[:16]


def ledger_of(paths: Paths, name: str, replicate: Replicate) -> Path:
    """Return the ledger of a replicate that is not finished."""
    return workplace_of(paths, name, replicate) / LEDGER


@contextmanager
def workplace(folder: Path, samples: Iterable[Sample]) -> Iterator[tuple[dict[str, Path], Path]]:
    """Yield the folders of drawn samples, by digest, and the ledger of their fits.

    All are removed when the block is through. An error or Ctrl-C leaves them, so that the replicate goes on with the
    fits that it has.
    """
    folders = {}
    for sample in samples:
        folders[sample.card.digest] = own = folder / sample.card.digest[:16]
        if not (own / "card.json").exists():
            save_sample(own, sample)
    yield folders, folder / LEDGER
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # other replicates may be under way there
        folder.parent.rmdir()


def n_fits(spec: BudgetSpec) -> int:
    """Return how many fits a replicate has at most."""
    n_searched = [arm.n_fits for arm in arms(spec)]
    confirmed = (len(n_searched) * spec.n_top + 1) * spec.n_confirm_seeds
    tested = (len(n_searched) + 1) * spec.n_test_seeds + spec.n_permuted + spec.n_random + 1
    return 1 + sum(n_searched) + confirmed + tested
