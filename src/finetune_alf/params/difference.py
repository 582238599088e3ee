"""What differs between two sets of parameters, leaf by leaf, or a line for a whole section that only one has."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finetune_alf.params.document import KeyPath
from finetune_alf.rates import setting_text

_ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """A value that differs, as `studies.minilm.recipe.batch: 8 -> 16`; `-` is no value."""

    path: KeyPath
    before: Any
    after: Any

    @property
    def field(self) -> str:
        """The path as text."""
        return ".".join(map(str, self.path))

    def __str__(self) -> str:
        return f"{self.field}: {_shown(self.before)} -> {_shown(self.after)}"

    def as_json(self) -> dict[str, Any]:
        """Return the field with its two values, without one that is not there."""
        values = {"before": self.before, "after": self.after}
        return {"field": self.field} | {name: value for name, value in values.items() if value is not _ABSENT}


@dataclass(frozen=True)
class OneSided:
    """A map that only one side has, with its number of values: `samples.films: not set (7 values before)`."""

    path: KeyPath
    n_values: int
    is_new: bool

    def __str__(self) -> str:
        count = f"{self.n_values} values"
        return f"{'.'.join(map(str, self.path))}: {f'new, {count}' if self.is_new else f'not set ({count} before)'}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any], path: KeyPath = ()) -> Iterator[Difference]:
    """Yield each value that differs; an entry without values, as in `fit: {minilm: {}}`, is one, a section is not."""
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        here = (*path, key)
        if isinstance(old, dict) or isinstance(new, dict):
            inner = (old if isinstance(old, dict) else {}, new if isinstance(new, dict) else {})
            if not isinstance(old, dict) and old is not _ABSENT:
                yield Difference(here, old, _ABSENT)
            if path and not any(inner) and (old is _ABSENT or new is _ABSENT):
                yield Difference(here, old, new)
            yield from differences(*inner, here)
            if not isinstance(new, dict) and new is not _ABSENT:
                yield Difference(here, _ABSENT, new)
        elif old is _ABSENT or new is _ABSENT or old != new:
            yield Difference(here, old, new)


def in_short(
    before: Mapping[str, Any], after: Mapping[str, Any], path: KeyPath = ()
) -> Iterator[Difference | OneSided]:
    """Yield each value that differs; one line for a map of several values that only one side has."""
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        here = (*path, key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from in_short(old, new, here)
            continue
        found = list(differences({} if old is _ABSENT else {key: old}, {} if new is _ABSENT else {key: new}, path))
        whole = len(found) > 1 and (old is _ABSENT or new is _ABSENT)
        yield from [OneSided(here, len(found), is_new=old is _ABSENT)] if whole else found


def _shown(value: object) -> str:
    if isinstance(value, float):
        return setting_text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return "-" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
