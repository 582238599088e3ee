"""Fits as jobs: small enough to send to a worker, which keeps encoder and sample at hand between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from finetune_alf.data.sample import Sample, load_sample
from finetune_alf.encoder.load import Encoder, load_encoder
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import DataError
from finetune_alf.recipe import Recipe
from finetune_alf.train.batches import Labelled
from finetune_alf.train.fit import FitTexts, Report, fit
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.precision import resolve_device
from finetune_alf.train.result import FitResult

ScoredSplit = Literal["validation", "confirmation", "test"]


@dataclass(frozen=True)
class FitJob:
    """One fit to be done: a trial, a confirmation or a transfer cell. The sample goes by its digest."""

    key: str
    recipe: Recipe
    encoder: EncoderSpec
    sample: str
    seed: int
    score_on: ScoredSplit = "validation"
    metric: str = "accuracy"


@dataclass
class Workbench:
    """Does FitJobs, one after another, loading each encoder and sample once.

    `samples` tells where the sample of each digest lies. Pickles as its settings: what it has loaded stays behind.
    """

    samples: Mapping[str, Path]
    device: str = "auto"
    n_threads: int | None = None
    _loaded: dict[str, Sample] = field(default_factory=dict, repr=False)
    _encoders: dict[tuple[str, int], Encoder] = field(default_factory=dict, repr=False)
    _tokenised: dict[tuple[str, str, int, str], Labelled] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> tuple[type["Workbench"], tuple[dict[str, Path], str, int | None]]:
        return (Workbench, (dict(self.samples), self.device, self.n_threads))

    def __call__(self, job: FitJob, report: Report) -> FitResult:
        """Do one job. Raises the package's errors for what cannot be loaded or does not fit together."""
        if self.n_threads:
            torch.set_num_threads(self.n_threads)
        sample = self.sample(job.sample)
        encoder = self.encoder(job.encoder, len(sample.card.label_names))
        validation = self._labelled(encoder, sample, "validation", job.recipe.max_tokens)
        texts = FitTexts(
            train=self._labelled(encoder, sample, "train", job.recipe.max_tokens),
            validation=validation,
            scored=self._labelled(encoder, sample, job.score_on, job.recipe.max_tokens),
        )
        return fit(encoder, texts, job.recipe, job.seed, metric=job.metric, report=report)

    def sample(self, digest: str) -> Sample:
        """Return the sample of this digest, read once; DataError when it is not at hand."""
        if digest not in self._loaded:
            if digest not in self.samples:
                raise DataError(f"sample {digest[:8]}: must be at hand, but this worker knows no folder for it.")
            self._loaded[digest] = load_sample(self.samples[digest])
        return self._loaded[digest]

    def encoder(self, spec: EncoderSpec, n_labels: int) -> Encoder:
        """Return the encoder with a head for this many classes, loaded once."""
        key = (spec.model_dump_json(), n_labels)
        if key not in self._encoders:
            self._encoders[key] = load_encoder(spec, n_labels, str(resolve_device(self.device)))
        return self._encoders[key]

    def _labelled(self, encoder: Encoder, sample: Sample, split: str, max_tokens: int) -> Labelled:
        key = (encoder.identity, sample.card.digest, max_tokens, split)
        if key not in self._tokenised:
            rows = sample.splits[split]
            device = resolve_device(self.device)
            table = TokenTable.of(encoder.tokenize(rows.texts, max_tokens), device)
            self._tokenised[key] = Labelled(table, torch.tensor(rows.labels, device=device))
        return self._tokenised[key]
