"""Adapters that an encoder's layers cannot have, by its config, before anything is fitted."""

from collections.abc import Callable, Iterator
from typing import Any

from finetune_alf.encoder.adapters.target_modules import WITHOUT_QUERY_AND_VALUE
from finetune_alf.params import Params
from finetune_alf.params.checks import Disagreement
from finetune_alf.params.document import KeyPath


def adapter_disagreements(params: Params, model_type: Callable[[str], str | None]) -> Iterator[Disagreement]:
    """Yield each LoRA, of a recipe or among schemes, for an encoder that lacks what it is added to.

    `model_type` has that of a named encoder; None where it is not known.
    """
    for path, encoder, value in trained(params):
        if model_type(encoder) in WITHOUT_QUERY_AND_VALUE:
            for place in _places_of_lora(value, path):
                message = f"must not be lora for encoder {encoder} ({model_type(encoder)}), whose query, key and value "
                yield place, f"{message}are one linear layer; houlsby adapters fit"


def trained(params: Params) -> Iterator[tuple[KeyPath, str, Any]]:
    """Yield what is trained, as plain values with their place, and the name of its encoder."""
    for key, section in params.model_dump(mode="json", by_alias=True).items():
        if not isinstance(section, dict):
            continue
        for name, entry in section.items():
            if isinstance(entry, dict) and isinstance(entry.get("encoder"), str):
                yield (key, name), entry["encoder"], entry
        if section.get("samples") and section.get("studies"):
            for encoder in dict.fromkeys(params.studies[study].encoder for study in section["studies"]):
                yield (key,), encoder, section


def _places_of_lora(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, dict) and value.get("kind") == "lora":
        yield path
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _places_of_lora(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _places_of_lora(each, (*path, index))
