"""What differs between two sets of parameters, leaf by leaf."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from finetune_alf.params.document import KeyPath

_ABSENT = object()


def differences(before: Mapping[str, Any], after: Mapping[str, Any], path: KeyPath = ()) -> Iterator[str]:
    """Yield one `studies.minilm.recipe.batch: 8 -> 16` for each value that differs; `-` is no value."""
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        here = (*path, key)
        if isinstance(old, dict) or isinstance(new, dict):
            inner = (old if isinstance(old, dict) else {}, new if isinstance(new, dict) else {})
            if not isinstance(old, dict) and old is not _ABSENT:
                yield _line(here, old, _ABSENT)
            yield from differences(*inner, here)
            if not isinstance(new, dict) and new is not _ABSENT:
                yield _line(here, _ABSENT, new)
        elif old is _ABSENT or new is _ABSENT or old != new:
            yield _line(here, old, new)


def _line(path: KeyPath, old: object, new: object) -> str:
    return f"{'.'.join(map(str, path))}: {_shown(old)} -> {_shown(new)}"


def _shown(value: object) -> str:
    return "-" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
