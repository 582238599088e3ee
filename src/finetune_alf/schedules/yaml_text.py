"""Schedules as YAML."""

import io
import json
import re
from typing import Any

from finetune_alf.errors import InputError, ScheduleError
from finetune_alf.schedules.document import MAX_BYTES

_NO_TEXT = re.compile(r"on|off|yes|no|y|n|[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?", re.IGNORECASE)
"""What YAML 1.1, as PyYAML reads it, takes for a truth value, or for a number to the base 60: 1:30."""


def to_yaml(document: dict[str, Any]) -> str:
    """Return a document as YAML that readers of YAML 1.1 and 1.2 read alike: 2.0e-05, not 2e-05, and "on", not on."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import SafeRepresenter

    class Representer(SafeRepresenter):
        pass

    def number(representer: SafeRepresenter, value: float) -> Any:
        mantissa, _, exponent = repr(value).partition("e")
        text = f"{mantissa}{'' if '.' in mantissa else '.0'}e{exponent}" if exponent else mantissa
        return representer.represent_scalar("tag:yaml.org,2002:float", text)

    def word(representer: SafeRepresenter, value: str) -> Any:
        style = '"' if _NO_TEXT.fullmatch(value) else None
        return representer.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Representer.add_representer(float, number)
    Representer.add_representer(str, word)
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = Representer
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False  # type: ignore[assignment]
    text = io.StringIO()
    yaml.dump(document, text)
    return text.getvalue()


def json_of_yaml(content: bytes, where: str) -> str:
    """Return YAML of an untrusted source as JSON. Raises ScheduleError, also for anchors and tags."""
    from ruamel.yaml.error import YAMLError

    from finetune_alf.yaml_depth import bounded_yaml

    if len(content) > MAX_BYTES:
        raise ScheduleError(f"{where}: must be at most {MAX_BYTES} bytes, but got {len(content)}.")
    try:
        text = content.decode("utf-8-sig")
        for event in bounded_yaml().parse(text):
            if getattr(event, "anchor", None) or getattr(event, "tag", None):
                raise ValueError("an anchor, an alias or a tag")
        return json.dumps(bounded_yaml().load(text))
    except (ValueError, TypeError, RecursionError, YAMLError, InputError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ScheduleError(f"{where}: must be a schedule's YAML, but got {reason}. Export it again.") from None
