"""Fits without fine-tuning: a linear model on the encoder's features as pre-trained, or on TF-IDF."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from finetune_alf.clock import Stopwatch
from finetune_alf.compute import Precision
from finetune_alf.compute.autocast import autocast
from finetune_alf.data.mixture import task_infos
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.tokens import Texts
from finetune_alf.errors import DataError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.loader import FitLoader
from finetune_alf.linear import LinearModel, cross_validated, cross_validated_sets, tfidf
from finetune_alf.metrics import ACCURACY, BALANCED_ACCURACY
from finetune_alf.recipe.linear import LinearRecipe, TfidfRecipe
from finetune_alf.recipe.task_plans import task_plans
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import batches_by_length
from finetune_alf.train.forward.protocol import forward_of
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.result import FitResult


def fit_linear(job: FitJob, recipe: LinearRecipe, loader: FitLoader, batch: int) -> tuple[LinearModel, FitResult]:
    """Fit a linear model on the training split and score it; `batch` is the number of texts in a forward pass.

    The seed determines the folds of the cross-validation. Raises what `FitLoader.load` does, and DataError where each
    class has a single text.
    """
    stopwatch = Stopwatch()
    drawn = loader.sample(job.sample)
    ((task, plan),) = task_plans(recipe, task_infos(drawn), job.metric).items()
    sample = drawn.tasks[task]
    kind, n_classes = sample.card.problem_type, sample.card.n_classes
    train, scored = sample.nonempty_split("train"), sample.nonempty_split(job.score_on)
    _check_classes(sample)
    vectorizer = None
    if isinstance(recipe, TfidfRecipe):
        inputs, vectorizer = tfidf(joined_pairs(train.texts), recipe.longest_ngram)
        scored_inputs = vectorizer.transform(joined_pairs(scored.texts))
    else:
        inputs, scored_inputs = _features(job, loader, recipe.pooling, batch)
    labels: Any = train.labels
    folds_seed = child_seed(job.seed, "folds")
    if kind == "multi_label":
        model = cross_validated_sets(inputs, labels, n_classes, recipe.n_folds, folds_seed)
    else:
        model = cross_validated(inputs, labels, n_classes, recipe.n_folds, folds_seed, plan.class_weights)
    predictions = model.predict(scored_inputs)
    result = FitResult(
        epochs=(),
        kept_epoch=None,
        score=plan.metric(scored.labels, predictions),
        accuracy=ACCURACY(scored.labels, predictions) if kind == "classification" else None,
        balanced_accuracy=BALANCED_ACCURACY(scored.labels, predictions) if kind == "classification" else None,
        loss=model.loss(scored_inputs, scored.labels),
        predictions=tuple(predictions),
        stopped="converged",
        seconds=stopwatch.seconds,
        n_steps=0,
        n_trainable_parameters=model.n_parameters,
        started_ms=stopwatch.started_ms,
    )
    return replace(model, vectorizer=vectorizer), result


def _check_classes(sample: Sample) -> None:
    """Raise DataError where each class has a single text; of label sets, where one has no two texts with or without."""
    labels, names = sample.splits["train"].labels, sample.card.label_names
    way_out = "Raise n_train, then run the prepare stage again."
    if sample.card.problem_type == "multi_label":
        counts = (sample.card.class_counts or {})["train"]
        if rare := [name for name in names if not 2 <= counts[name] <= len(labels) - 2]:
            raise DataError(
                f"sample {sample.name}: a linear model needs two training texts with each class and two without it, "
                f"and {', '.join(map(repr, rare))} {'has' if len(rare) == 1 else 'have'} fewer. {way_out}"
            )
    elif names and len(set(labels)) == len(labels):
        needed = "a linear model needs two training texts of one class, but each class has a single one"
        raise DataError(f"sample {sample.name}: {needed}. {way_out}")
    elif len(labels) < 2:
        raise DataError(f"sample {sample.name}: a linear model needs two training texts, but there is one. {way_out}")


def _features(job: FitJob, loader: FitLoader, pooling: str, batch: int) -> Iterator[NDArray[np.float32]]:
    """Return the features of the training split and of the scored one, the same under every seed."""
    encoder, tasks = loader.load(job)
    (splits,) = tasks.values()
    encoder.reset(0)  # an earlier fit changed the weights; features do not depend on the head's, which the seed is for
    for table in (splits.train.table, splits.scored.table):
        key = (id(table), encoder.identity, pooling, job.precision)
        if key not in loader.features:
            loader.features[key] = token_features(encoder, table, pooling, job.precision, batch)
        yield loader.features[key]


@torch.inference_mode()
def token_features(
    encoder: Encoder, table: TokenTable, pooling: str, precision: Precision, batch: int
) -> NDArray[np.float32]:
    """Return the top layer's mean over each text's tokens, or its first token, (n, H), without dropout."""
    forward = forward_of(encoder.model, 0, encoder.identity)
    encoder.model.eval()
    features = np.empty((len(table), encoder.model.config.hidden_size), np.float32)
    with autocast(table.device, precision):
        for rows in batches_by_length(table.lengths, batch):
            texts = table.select(rows)
            hidden = forward.last_hidden_state(texts).float()  # (T, H)
            if pooling == "first":
                pooled = hidden[texts.starts.to(hidden.device)]
            else:
                pooled = torch.segment_reduce(hidden, "mean", lengths=texts.lengths.to(hidden.device))
            features[rows] = pooled.cpu().numpy()
    return features


def joined_pairs(texts: Texts) -> list[str]:
    """Return texts as they are, and the two texts of a pair as one."""
    return [text if isinstance(text, str) else " ".join(text) for text in texts]
