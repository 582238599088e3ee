"""The names that a picture tells apart by colour and shape, and the same look for each of them in several pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from finetune_alf.figures.palette import Look, looks
from finetune_alf.figures.picture import Picture

_CHANNELS = ("color", "shape")


def alike(pictures: Sequence[Picture]) -> list[Picture]:
    """Return the pictures, in which a name has the same colour and shape, and no other name has both."""
    found = looks(name for picture in pictures for name in series(picture))
    return [replace(picture, spec=_restyled(picture.spec, found)) for picture in pictures]


def series(picture: Picture) -> tuple[str, ...]:
    """Return the names that have a shape."""
    scales = (encoding.get("shape", {}).get("scale") or {} for encoding in _encodings(picture.spec))
    return tuple(dict.fromkeys(name for scale in scales for name in scale.get("domain", ())))


def _encodings(part: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the encodings of a spec; data have none."""
    if isinstance(part, Mapping):
        yield from [part["encoding"]] if "encoding" in part else []
        for key in ("layer", "spec", "concat", "hconcat", "vconcat"):
            yield from _encodings(part.get(key))
    elif isinstance(part, list):
        for each in part:
            yield from _encodings(each)


def _restyled(part: Any, found: Mapping[str, Look]) -> Any:
    if isinstance(part, list):
        return [_restyled(each, found) for each in part]
    if not isinstance(part, Mapping):
        return part
    restyled = {}
    for key, value in part.items():
        if key in _CHANNELS:
            restyled[key] = _channel(key, value, found)
        else:
            restyled[key] = value if key == "datasets" else _restyled(value, found)
    return restyled


def _channel(name: str, channel: Any, found: Mapping[str, Look]) -> Any:
    """Return a channel whose scale has the looks; one whose names have no shape stays as it is."""
    scale = (channel.get("scale") if isinstance(channel, Mapping) else None) or {}
    names = scale.get("domain", ())
    if not names or not all(each in found for each in names):
        return channel
    place = _CHANNELS.index(name)
    return {**channel, "scale": {**scale, "range": [found[each][place] for each in names]}}
