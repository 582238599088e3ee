"""Probabilities of a sample's texts that are out of sample: by its saved classifier, and by a cross-validated probe."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from finetune_alf.classifier.folder import load_classifier
from finetune_alf.classifier.text_classifier import Report
from finetune_alf.data.rows import Text
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.load import load_encoder
from finetune_alf.errors import InputError
from finetune_alf.jobs.linear import token_features
from finetune_alf.linear import out_of_fold, smallest_class
from finetune_alf.recipe import ProbeRecipe
from finetune_alf.running.bench import encoder_spec_of
from finetune_alf.running.context import Context
from finetune_alf.train.evaluate import EVALUATION_BATCH
from finetune_alf.train.forward.table import TokenTable

CHUNK = 256
"""So many texts pass the encoder between two steps of the progress bar."""


def classifier_probabilities(ctx: Context, sample: Sample, split: str, folder: Path) -> NDArray[np.float64]:
    """Return the calibrated probabilities of a split that the classifier was not fitted to, (n, classes).

    Their order is that of the sample's classes, which must be those of the classifier. The batches are those in which
    `fit` has scored it: other batches round in another way.
    """
    classifier, texts = load_classifier(folder, ctx.compute.device), sample.nonempty_split(split).texts
    columns = [classifier.label_names.index(name) for name in sample.card.label_names]
    batch = ctx.compute.micro_batch or EVALUATION_BATCH
    with _progress(ctx, f"{split} texts", len(texts)) as report:
        return classifier.probabilities(texts, batch, report)[:, columns]


def probe_probabilities(ctx: Context, study: str, sample: Sample) -> NDArray[np.float64]:
    """Return the probabilities of the training split by a cross-validated probe on the study's encoder, (n, classes).

    The encoder is as it was pre-trained: it has not seen the labels. Raises InputError for a class with a single text.
    """
    train, n_classes, spec = sample.nonempty_split("train"), sample.card.n_classes, ctx.study(study)
    if smallest_class(train.labels, n_classes) < 2:
        raise InputError(
            f"{sample.name} has a class with a single training text, and the probe needs two of each. Raise n_train, "
            f"then run `{ctx.paths.command('prepare', sample.name)}` and `{ctx.paths.command('fit', study)}` again."
        )
    recipe = ProbeRecipe(max_tokens=spec.recipe.max_tokens, truncation=spec.recipe.truncation)
    encoder = load_encoder(encoder_spec_of(ctx, spec.encoder), n_classes, ctx.compute.device)

    def features(texts: Any) -> NDArray[np.float32]:
        tokens = encoder.tokenize(texts, recipe.max_tokens, recipe.truncation)
        table = TokenTable.of(tokens, torch.device(ctx.compute.device))
        return token_features(encoder, table, recipe.pooling, ctx.compute.precision, EVALUATION_BATCH)

    inputs = _in_chunks(ctx, "train texts", train.texts, features)
    return out_of_fold(inputs, train.classes, n_classes, recipe.n_folds, spec.seed)


@contextmanager
def _progress(ctx: Context, label: str, n_texts: int) -> Iterator[Report]:
    """Yield what is given the part that is done; many texts have a bar."""
    n_steps, n_shown = -(-n_texts // CHUNK), 0
    if n_steps == 1:
        yield lambda done: None
        return
    with ctx.console.progress(label, n_steps) as bar:

        def report(done: float) -> None:
            nonlocal n_shown
            while n_shown < int(done * n_steps):
                bar.advance()
                n_shown += 1

        yield report


def _in_chunks(
    ctx: Context, label: str, texts: Sequence[Text], function: Callable[[Any], NDArray[Any]]
) -> NDArray[Any]:
    starts = range(0, len(texts), CHUNK)
    if len(starts) == 1:
        return function(texts)
    found = []
    with ctx.console.progress(label, len(starts)) as bar:
        for start in starts:
            found.append(function(texts[start : start + CHUNK]))
            bar.advance()
    return np.concatenate(found)
