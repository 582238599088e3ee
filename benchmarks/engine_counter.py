"""The counter for every peer: the texts that passed the classifier, and the peak memory."""

import resource
import sys
from typing import Any

import torch


class Counter:
    """Counts the texts that pass a model's classifier, in training and in evaluation."""

    def __init__(self) -> None:
        self.n_trained = 0
        self.n_evaluated = 0

    def watch(self, model: Any) -> None:
        """Count texts of this model from now on."""
        model.classifier.register_forward_hook(self._count)

    def clear(self) -> None:
        """Reset the counts."""
        self.n_trained = self.n_evaluated = 0

    def peak_mib(self, device: str) -> float:
        """Return the peak memory of this process: resident, or allocated on the GPU."""
        if device.startswith("cuda"):
            return torch.cuda.max_memory_allocated() / 2**20
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10

    def _count(self, module: torch.nn.Module, inputs: Any, logits: torch.Tensor) -> None:
        if module.training:
            self.n_trained += len(logits)
        else:
            self.n_evaluated += len(logits)
