"""Section: what an experiment adds to params.yaml. Who knows the experiments hands their sections in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import Field

from finetune_alf.errors import InputError
from finetune_alf.params.checks import Disagreement, RawParams
from finetune_alf.paths import Name
from finetune_alf.spec import Spec

T = TypeVar("T")
S = TypeVar("S", bound=Spec)


@dataclass(frozen=True)
class Section(Generic[T]):
    """A top-level key of params.yaml: the type of its value, its default, and what must agree with other sections.

    `check` is given the parameters as read, whatever else is wrong with them.
    """

    key: str
    annotation: Any
    default: Callable[[], T]
    check: Callable[[RawParams], Iterator[Disagreement]]

    def of(self, params: Spec) -> T:
        """Return the section's value in params.yaml."""
        return cast("T", getattr(params, self.key))


def named_section(
    key: str, spec: type[S], check: Callable[[RawParams, str, dict[str, Any]], Iterator[Disagreement]]
) -> Section[dict[str, S]]:
    """Return a section of entries by name, each of them one spec; `check` is given an entry's name and values."""

    def check_each(raw: RawParams) -> Iterator[Disagreement]:
        for name, entry in raw.entries(key):
            yield from check(raw, name, entry)

    return Section(key, dict[Name, spec], dict, check_each)  # type: ignore[valid-type]


def entry(key: str, entries: Mapping[str, T], name: str) -> T:
    """Return the entry of this name; InputError names those there are."""
    if name not in entries:
        raise InputError(
            f"{key}: must have an entry `{name}`, but got {', '.join(entries) or 'none'}. Check params.yaml."
        )
    return entries[name]


def field_of(section: Section[Any]) -> tuple[Any, Any]:
    """Return the section as pydantic's `create_model` takes a field."""
    return section.annotation, Field(default_factory=section.default)
