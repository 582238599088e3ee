"""The parts of a contrastive fit: pairs of texts for the training loop, and a logistic head at each evaluation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.compute import Precision
from finetune_alf.encoder.text_heads import no_head
from finetune_alf.errors import DataError
from finetune_alf.linear import logistic
from finetune_alf.rates import HEAD, rate_source
from finetune_alf.recipe import Contrastive
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.evaluate import Evaluation, outputs_of
from finetune_alf.train.forward.protocol import Forward
from finetune_alf.train.frozen_features import FrozenFeaturesCache
from finetune_alf.train.objective import Objective
from finetune_alf.train.parts import Parts


def _similarity(outputs: torch.Tensor) -> torch.Tensor:
    first, second = outputs.chunk(2)
    return F.cosine_similarity(first, second, dim=-1)


COSINE = Objective(lambda outputs, labels: (_similarity(outputs) - labels).square(), _similarity, torch.float32)
"""Outputs are the features of the texts of pairs, (2 B, H); labels are 1 for equal classes, else 0."""


@dataclass(frozen=True)
class PairedSplit(TokenizedSplit):
    """Pairs of the texts of a split; a row of it is a pair."""

    pairs: tuple[tuple[int, int], ...] = ()

    def table_rows(self, rows: Sequence[int]) -> list[int]:
        """Return the rows of the table for these pairs: all first texts, then all second ones."""
        return [self.pairs[row][part] for part in (0, 1) for row in rows]


def paired(split: TokenizedSplit, spec: Contrastive, seed: int) -> PairedSplit:
    """Draw the pairs of a split; a text is paired with itself only where it is the only one of its class."""
    generator = torch.Generator().manual_seed(child_seed(seed, "pairs"))
    classes, pairs = split.labels.cpu(), []
    for row, label in enumerate(classes.tolist()):
        same, other = (classes == label).nonzero()[:, 0], (classes != label).nonzero()[:, 0]
        if not len(other):
            raise DataError("all training texts have the same class, and a contrastive objective needs two.")
        same = same[same != row] if len(same) > 1 else same
        for partners, n in ((same, spec.n_positive), (other, spec.n_pairs - spec.n_positive)):
            drawn = torch.randint(len(partners), (n,), generator=generator)
            pairs += [(row, partner) for partner in partners[drawn].tolist()]
    alike = [float(classes[one] == classes[two]) for one, two in pairs]
    labels = torch.tensor(alike, device=split.labels.device)
    return PairedSplit(split.table, labels, COSINE, 2, pairs=tuple(pairs))


@dataclass(frozen=True)
class LogisticEvaluation:
    """Evaluates an encoder by a logistic regression on its features of the training texts."""

    train: TokenizedSplit
    n_classes: int

    def __call__(
        self, forward: Forward, split: TokenizedSplit, precision: Precision, batch: int, features: FrozenFeaturesCache
    ) -> Evaluation:
        """Fit the head and evaluate a split; the loss is in nats, NaN where the features are no numbers."""
        inputs, scored = (
            outputs_of(forward, one, precision, batch=batch, features=features.of(one)) for one in (self.train, split)
        )
        labels = tuple(split.labels.tolist())
        if not (inputs.isfinite().all() and scored.isfinite().all()):
            return Evaluation(math.nan, labels, labels)
        weights = self.train.class_weights
        model = logistic(inputs.cpu().numpy(), self.train.labels.tolist(), self.n_classes, weights)
        return Evaluation(model.loss(scored.cpu().numpy(), labels), labels, tuple(model.predict(scored.cpu().numpy())))


def contrastive_parts(parts: Parts, objective: Contrastive, n_classes: int, seed: int) -> Parts:
    """Return the parts of a contrastive fit: the loop trains on pairs, and the model's own head is not used."""
    ((name, splits),) = parts.tasks.items()
    return Parts(
        {name: replace(splits, train=paired(splits.train, objective, seed))},
        {address: 0.0 if rate_source(address) == HEAD else rate for address, rate in parts.rates.items()},
        no_head,
        LogisticEvaluation(splits.train, n_classes),
    )
