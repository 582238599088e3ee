"""Classifier: an encoder with its head, or with a probe on it, that gives texts their probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from finetune_alf.classifier.calibration import PROBABILITIES
from finetune_alf.classifier.probe import Probe
from finetune_alf.classifier.threads import computed
from finetune_alf.compute import Precision
from finetune_alf.data.readers.format import LABEL_SEPARATOR
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.tokens import Texts
from finetune_alf.jobs.linear import token_features
from finetune_alf.metrics import ProblemType
from finetune_alf.recipe.recipe import Pooling, Truncation
from finetune_alf.train.evaluate import EVALUATION_BATCH
from finetune_alf.train.forward.inference import CPU_TOKENS, inference_batches, inference_forward
from finetune_alf.train.forward.table import TokenTable

Report = Callable[[float], None]
"""Is given the part of the texts that is done, from 0 to 1."""

BatchLogits = Callable[[Sequence[int]], NDArray[Any]]

THRESHOLD = 0.5
"""Where a text can have several classes it is given those of a higher probability."""


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
    truncation: Truncation = "head"
    problem_type: ProblemType = "classification"
    label_separator: str = LABEL_SEPARATOR

    def probabilities(self, texts: Texts, batch: int = EVALUATION_BATCH) -> NDArray[np.float64]:
        """Return the calibrated probabilities of texts or pairs, (n, classes).

        Texts run in batches of similar length, packed where the encoder's family has a packed forward pass.
        """
        return self.probabilities_of(self.tokens(texts), batch)

    def logits(self, texts: Texts, batch: int = EVALUATION_BATCH) -> NDArray[np.float64]:
        """Return the logits of texts or pairs, (n, classes)."""
        return self.logits_of(self.tokens(texts), batch)

    def tokens(self, texts: Texts) -> TokenTable:
        """Return the tokens of texts or pairs on the model's device, at most `max_tokens` of each."""
        return TokenTable.of(self.encoder.tokenize(texts, self.max_tokens, self.truncation), self._device)

    def probabilities_of(
        self, tokens: TokenTable, batch: int = EVALUATION_BATCH, report: Report = lambda done: None
    ) -> NDArray[np.float64]:
        """Return the calibrated probabilities of these texts, (n, classes); `report` is given the part that is done."""
        return PROBABILITIES[self.problem_type](self.logits_of(tokens, batch, report) / self.temperature)

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

    def names(self, probabilities: NDArray[np.float64]) -> Sequence[str]:
        """Return the name of the most probable class of each row, or of all that are more likely than not."""
        if self.problem_type == "multi_label":
            return [self._joined(row) for row in probabilities > THRESHOLD]
        return [self.label_names[index] for index in probabilities.argmax(1)]

    def answers(self, probabilities: NDArray[np.float64]) -> list[tuple[object, ...]]:
        """Return the name of each row, the probability of that, and those of all classes.

        Where a text can have several classes, each is taken by itself.
        """
        own = probabilities.max(1, initial=0.0)
        if self.problem_type == "multi_label":
            own = np.maximum(probabilities, 1 - probabilities).prod(1)
        rows = zip(self.names(probabilities), own.tolist(), probabilities.tolist(), strict=True)
        return [(name, probability, *row) for name, probability, row in rows]

    def _joined(self, has_class: NDArray[np.bool_]) -> str:
        return self.label_separator.join(self.label_names[index] for index in np.flatnonzero(has_class))
