"""A linear head's tensors: a logistic regression on features, which those of a probe standardise, as safetensors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finetune_alf.classifier.tensors import load_arrays, save_arrays
from finetune_alf.linear import LinearModel

FIELDS = ("mean", "scale", "weights", "bias")


@dataclass(frozen=True, eq=False)
class Probe:
    """Logits of features: `weights` (classes, H) of (features - `mean`) / `scale`, both (H,), and `bias` (classes,)."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the logits of features (n, H), (n, classes)."""
        return np.asarray((features - self.mean) / self.scale @ self.weights.T + self.bias)


def probe_of(model: LinearModel) -> Probe:
    """Return the tensors of a fitted linear model on dense features; of two classes the first has logit 0."""
    weights, bias = model.logit_weights
    mean, scale = np.zeros(weights.shape[1]), np.ones(weights.shape[1])
    if scaled := model.pipeline.named_steps.get("scaled"):
        mean, scale = scaled.mean_.astype(np.float64), scaled.scale_.astype(np.float64)
    return Probe(mean, scale, weights, bias)


def save_probe(probe: Probe, file: Path) -> None:
    """Write the tensors; equal ones give equal bytes."""
    save_arrays({name: getattr(probe, name) for name in FIELDS}, file)


def load_probe(file: Path, n_features: int, n_classes: int) -> Probe:
    """Read the tensors. Raises EncoderError for a file that is no safetensors, or tensors of other shapes."""
    shapes = ((n_features,), (n_features,), (n_classes, n_features), (n_classes,))
    return Probe(**load_arrays(file, dict(zip(FIELDS, shapes, strict=True))))
