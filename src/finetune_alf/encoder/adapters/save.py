"""Save and load adapters without the encoder: `adapter.json` names the encoder, `adapter.safetensors` has the tensors.

The adapter of a classifier has tensors alone: its spec is in the classifier's record, the encoder in the same folder.

Nothing in the files is a path or is executed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from finetune_alf.checksums import parse_checked
from finetune_alf.encoder.adapters.inject import with_adapter
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.errors import EncoderError
from finetune_alf.files import write_bytes
from finetune_alf.json_files import write_json
from finetune_alf.os_errors import check_regular, os_error_reason
from finetune_alf.rates import HEAD, is_adapter, rate_source
from finetune_alf.recipe import Adapter, HoulsbyAdapter
from finetune_alf.spec import Spec, first_fault

if TYPE_CHECKING:
    import torch

SPEC_FILE = "adapter.json"
TENSOR_FILE = "adapter.safetensors"
MAX_SPEC_BYTES = 1 << 16


class SavedAdapter(Spec):
    """adapter.json: the adapter and the identity of its encoder."""

    format: Literal[1] = 1
    encoder: str
    adapter: Adapter


def save_adapter(encoder: Encoder, folder: Path) -> None:
    """Save the trained parameters of an encoder with an adapter: adapters, the norms trained with them, and the head.

    Raises EncoderError for an encoder without an adapter.
    """
    if encoder.adapter is None:
        raise EncoderError(
            f"{encoder.identity}: must have an adapter to save, but has none. Add one with with_adapter."
        )
    _write_tensors(_trained(encoder), folder / TENSOR_FILE)
    saved = SavedAdapter(encoder=encoder.identity, adapter=encoder.adapter)
    write_json(folder / SPEC_FILE, saved.model_dump(mode="json"))


def load_adapter(encoder: Encoder, folder: Path) -> Encoder:
    """Return a copy of an encoder with the saved adapter of a folder; `reset` initializes it anew.

    Raises EncoderError for an adapter of another encoder, and for files that are missing, invalid or of another shape.
    """
    saved = _read_spec(folder / SPEC_FILE)
    if saved.encoder != encoder.identity:
        raise EncoderError(
            f"{folder}: must be an adapter of {encoder.identity}, but got one of {saved.encoder}. Load that encoder."
        )
    adapted = with_adapter(encoder, saved.adapter)
    _load_tensors(_trained(adapted), _read_tensors(folder / TENSOR_FILE), folder / TENSOR_FILE)
    return adapted


def save_bottlenecks(encoder: Encoder, file: Path) -> None:
    """Save the tensors of an encoder's bottleneck adapters, without norms and head."""
    _write_tensors(_own(encoder), file)


def load_bottlenecks(encoder: Encoder, adapter: HoulsbyAdapter, file: Path) -> Encoder:
    """Return a copy of an encoder with these adapters and their saved tensors.

    Raises EncoderError for a file that is missing, invalid, or of another width or encoder.
    """
    tensors = _read_tensors(file)
    widths = {len(tensor) for name, tensor in tensors.items() if name.endswith(".down.weight")}
    if widths != {adapter.width}:  # before adapters of that width are made
        raise EncoderError(
            f"{file}: must have adapters of width {adapter.width}, but got {', '.join(map(str, widths)) or 'none'}. "
            "Save it again."
        )
    adapted = with_adapter(encoder, adapter)
    _load_tensors(_own(adapted), tensors, file)
    return adapted


def _own(encoder: Encoder) -> dict[str, "torch.nn.Parameter"]:
    return {name: encoder.model.get_parameter(name) for name in encoder.initial_weights.adapters}


def _write_tensors(parameters: Mapping[str, "torch.nn.Parameter"], file: Path) -> None:
    from safetensors.torch import save

    write_bytes(file, save({name: each.detach().cpu().contiguous() for name, each in parameters.items()}))


def _load_tensors(
    parameters: Mapping[str, "torch.nn.Parameter"], tensors: Mapping[str, "torch.Tensor"], file: Path
) -> None:
    _check_tensors(file, tensors, parameters)
    for name, parameter in parameters.items():
        parameter.data.copy_(tensors[name])


def _trained(encoder: Encoder) -> dict[str, "torch.nn.Parameter"]:
    addresses = [one for one in encoder.anatomy.addresses if is_adapter(one) or rate_source(one) == HEAD]
    names = [name for address in addresses for name in encoder.anatomy.parameters[address]]
    return {name: encoder.model.get_parameter(name) for name in names}


def _read_spec(file: Path) -> SavedAdapter:
    check_regular(file, EncoderError)
    try:
        with file.open("rb") as opened:
            return SavedAdapter.model_validate_json(json.dumps(parse_checked(opened.read(MAX_SPEC_BYTES))))
    except OSError as error:
        raise EncoderError(f"cannot read {file}: {os_error_reason(error)}. Save the adapter again.") from None
    except ValueError as error:
        fault = first_fault(error) if isinstance(error, ValidationError) else error
        raise EncoderError(
            f"{file}: must be as save_adapter writes it, but got {fault}. Save the adapter again."
        ) from None


def _read_tensors(file: Path) -> dict[str, "torch.Tensor"]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, torch.Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise EncoderError(
            f"{file}: must be a whole safetensors file, but got {error}. Save the adapter again."
        ) from None
    return tensors


def _check_tensors(
    file: Path, tensors: Mapping[str, "torch.Tensor"], parameters: Mapping[str, "torch.nn.Parameter"]
) -> None:
    for name in sorted({*tensors} ^ {*parameters}):
        fault = "is missing" if name in parameters else "is none of them"
        raise EncoderError(
            f"{file}: must contain the trained parameters of this encoder, but {name} {fault}. Save it again."
        )
    for name, parameter in parameters.items():
        if tensors[name].shape != parameter.shape:
            raise EncoderError(
                f"{file}: {name} must have the shape {tuple(parameter.shape)}, but got {tuple(tensors[name].shape)}. "
                "Load the encoder with the number of classes that the adapter was saved with."
            )
        if not bool(tensors[name].isfinite().all()):
            raise EncoderError(f"{file}: weights must be finite, but {name} has NaN or infinite values. Save it again.")
