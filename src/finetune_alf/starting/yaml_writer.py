"""The writer of a new project's params.yaml: numbers as people write them, and every name so that it reads back."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from finetune_alf.rates import setting_text


class _Representer(RoundTripRepresenter):
    """Writes rates as people do: 5e-9, not 5e-09, and 1e-4, not 0.0001."""


def _float(representer: RoundTripRepresenter, number: float) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:float", setting_text(number))


def _text(representer: RoundTripRepresenter, text: str) -> Any:
    """Quote what ruamel leaves plain and would read as something else: ?x in a list, :) in a map, unseen characters."""
    style = '"' if not text.isprintable() else "'" if text.startswith(("?", ":")) else None
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(float, _float)
_Representer.add_representer(str, _text)


def params_writer() -> YAML:
    """Return a writer of maps that keeps comments and breaks no line."""
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.allow_unicode = True
    yaml.width = 1 << 20
    return yaml
