"""Classifier: an encoder with its head, or with a probe on it, that gives texts their probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from finetune_alf.classifier.calibration import softmax
from finetune_alf.classifier.probe import Probe
from finetune_alf.compute import Precision
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.tokens import Texts
from finetune_alf.jobs.linear import token_features
from finetune_alf.recipe.recipe import Pooling
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.evaluate import EVALUATION_BATCH, outputs_of
from finetune_alf.train.forward.protocol import forward_of
from finetune_alf.train.forward.table import TokenTable


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained classifier in memory; the logits of its texts are divided by `temperature`."""

    encoder: Encoder
    label_names: tuple[str, ...]
    max_tokens: int
    pooling: Pooling
    precision: Precision
    temperature: float = 1.0
    probe: Probe | None = None

    def probabilities(self, texts: Texts, batch: int = EVALUATION_BATCH) -> NDArray[np.float64]:
        """Return the calibrated probabilities of texts or pairs, (n, classes).

        Texts run in batches of similar length, packed where the encoder's family has a packed forward pass.
        """
        return softmax(self.logits(texts, batch) / self.temperature)

    def logits(self, texts: Texts, batch: int = EVALUATION_BATCH) -> NDArray[np.float64]:
        """Return the logits of texts or pairs, (n, classes)."""
        if not texts:
            return np.empty((0, len(self.label_names)))
        model = self.encoder.model.eval()
        device = next(model.parameters()).device
        table = TokenTable.of(self.encoder.tokenize(texts, self.max_tokens), device)
        if self.probe is not None:
            features = token_features(self.encoder, table, self.pooling, self.precision, batch)
            return self.probe.logits(features)
        forward = forward_of(model, 0, self.encoder.identity, self.pooling)
        split = TokenizedSplit(table, torch.zeros(len(table), dtype=torch.int64, device=device))
        logits = outputs_of(forward, split, self.precision, batch=batch, features=None)  # (n, classes)
        return logits.cpu().numpy().astype(np.float64)

    def names(self, probabilities: NDArray[np.float64]) -> Sequence[str]:
        """Return the name of the most probable class of each row."""
        return [self.label_names[index] for index in probabilities.argmax(1)]
