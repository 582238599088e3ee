"""YAML 1.2 whose nesting is bounded: to go through thousands of levels takes seconds, and Python's stack."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scanner import Scanner

from finetune_alf.errors import InputError

MAX_DEPTH = 40
"""Settings and schedules are at most ten deep."""


class _BoundedScanner(Scanner):
    """Ends where a collection begins that is too deep, before anything of it is put together."""

    def add_indent(self, column: int) -> bool:
        is_deeper = bool(super().add_indent(column))
        self._check_depth()
        return is_deeper

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803 - as in ruamel
        super().fetch_flow_collection_start(TokenClass, to_push)
        self._check_depth()

    def _check_depth(self) -> None:
        if len(self.indents) + len(self.flow_context) > MAX_DEPTH + 1:
            raise InputError(f"must be nested at most {MAX_DEPTH} deep, but is deeper")


def bounded_yaml() -> YAML:
    """Return a reader of plain values; InputError, without a name, where collections are nested beyond MAX_DEPTH."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _BoundedScanner
    return yaml
