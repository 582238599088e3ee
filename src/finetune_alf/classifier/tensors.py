"""Named arrays of a classifier as safetensors, checked when they are read."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finetune_alf.errors import EncoderError


def save_arrays(arrays: Mapping[str, NDArray[np.float64]], file: Path) -> None:
    """Write arrays; equal ones give equal bytes."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(each) for name, each in arrays.items()}, file)
    file.chmod(0o644)


def load_arrays(file: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float64]]:
    """Read the arrays of these names. Raises EncoderError for no safetensors, and for other shapes or no numbers."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(file)
    except (SafetensorError, OSError) as error:
        raise EncoderError(f"{file}: must be a whole safetensors file, but got {error}. Fit it again.") from None
    for name, shape in shapes.items():
        found = arrays[name].shape if name in arrays else None
        if found != shape or not np.isfinite(arrays[name]).all():
            raise EncoderError(
                f"{file}: {name} must be finite, of the shape {shape}, but got {found or 'none'}. Fit it again."
            )
    return {name: arrays[name].astype(np.float64) for name in shapes}
