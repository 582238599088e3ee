"""Classifier: an encoder with its head, or with a probe on it, that gives texts their probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from finetune_alf.classifier.probe import Probe
from finetune_alf.classifier.text_classifier import Report, TextClassifier
from finetune_alf.classifier.threads import computed
from finetune_alf.compute import Precision
from finetune_alf.data.readers.format import LABEL_SEPARATOR
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.tokens import Texts
from finetune_alf.jobs.linear import token_features
from finetune_alf.metric_names import ProblemType
from finetune_alf.recipe.recipe import Pooling, Truncation
from finetune_alf.train.evaluate import EVALUATION_BATCH
from finetune_alf.train.forward.inference import CPU_TOKENS, inference_batches, inference_forward
from finetune_alf.train.forward.table import TokenTable

BatchLogits = Callable[[Sequence[int]], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Classifier(TextClassifier):
    """A classifier by an encoder: by its own head, or by a probe on it."""

    encoder: Encoder
    label_names: tuple[str, ...]
    max_tokens: int
    pooling: Pooling
    precision: Precision
    temperature: float = 1.0
    probe: Probe | None = None
    truncation: Truncation = "head"
    problem_type: ProblemType = "classification"
    label_separator: str = LABEL_SEPARATOR

    def logits(
        self, texts: Texts, batch: int = EVALUATION_BATCH, report: Report = lambda done: None
    ) -> NDArray[np.float64]:
        """Return the logits of texts or pairs, (n, classes).

        Texts run in batches of similar length, packed where the encoder's family has a packed forward pass.
        """
        return self.logits_of(self.tokens(texts), batch, report)

    def predicted(self, texts: Texts, report: Report = lambda done: None) -> tuple[NDArray[np.float64], int]:
        """Return the calibrated probabilities of texts or pairs, and how many have `max_tokens` tokens or more."""
        tokens = self.tokens(texts)
        n_full = int((tokens.lengths >= self.max_tokens).sum())
        return self.calibrated(self.logits_of(tokens, report=report)), n_full

    def tokens(self, texts: Texts) -> TokenTable:
        """Return the tokens of texts or pairs on the model's device, at most `max_tokens` of each."""
        return TokenTable.of(self.encoder.tokenize(texts, self.max_tokens, self.truncation), self._device)

    def logits_of(
        self, tokens: TokenTable, batch: int = EVALUATION_BATCH, report: Report = lambda done: None
    ) -> NDArray[np.float64]:
        """Return the logits of these texts, (n, classes); `report` is given the part that is done."""
        logits, n_done = np.empty((len(tokens), len(self.label_names))), 0
        of_batch = self._probe_logits(tokens) if self.probe else self._model_logits(tokens)
        limit = CPU_TOKENS if self._device.type == "cpu" else None
        batches = inference_batches(tokens.lengths, batch, limit)
        for rows, own in computed(of_batch, batches, self._device, self.precision):
            logits[rows] = own
            n_done += int(tokens.lengths[rows].sum())
            report(n_done / len(tokens.input_ids))
        return logits

    def _model_logits(self, tokens: TokenTable) -> BatchLogits:
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        forward = inference_forward(self.encoder.model.eval(), self.encoder.identity, self.pooling, dtype)
        return lambda rows: forward(tokens, rows).float().cpu().numpy()

    def _probe_logits(self, tokens: TokenTable) -> BatchLogits:
        probe = self.probe
        assert probe is not None  # noqa: S101 - the caller has checked it
        return lambda rows: probe.logits(
            token_features(self.encoder, tokens.select(rows), self.pooling, self.precision, len(rows))
        )

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(self.encoder.model.parameters()).device
        return device
