"""A linear head's tensors: a logistic regression on features, which those of a probe standardise, as safetensors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finetune_alf.errors import EncoderError
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
    weights, bias = (part.astype(np.float64) for part in model.weights)
    if len(weights) == 1:
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.append(0.0, bias)
    mean, scale = np.zeros(weights.shape[1]), np.ones(weights.shape[1])
    if scaled := model.pipeline.named_steps.get("scaled"):
        mean, scale = scaled.mean_.astype(np.float64), scaled.scale_.astype(np.float64)
    return Probe(mean, scale, weights, bias)


def save_probe(probe: Probe, file: Path) -> None:
    """Write the tensors; equal ones give equal bytes."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(getattr(probe, name)) for name in FIELDS}, file)
    file.chmod(0o644)


def load_probe(file: Path, n_features: int, n_classes: int) -> Probe:
    """Read the tensors. Raises EncoderError for a file that is no safetensors, or tensors of other shapes."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise EncoderError(f"{file}: must be a whole safetensors file, but got {error}. Fit it again.") from None
    shapes = dict(zip(FIELDS, ((n_features,), (n_features,), (n_classes, n_features), (n_classes,)), strict=True))
    for name, shape in shapes.items():
        found = tensors[name].shape if name in tensors else None
        if found != shape or not np.isfinite(tensors[name]).all():
            raise EncoderError(
                f"{file}: {name} must be finite, of the shape {shape}, but got {found or 'none'}. Fit it again."
            )
    return Probe(**{name: tensors[name].astype(np.float64) for name in FIELDS})
