"""Names of classes by which people and programs mark rows that have no label."""

import json
import re

MINUS_ONE = ("-1", "-1.0")

MISSING_NAMES = frozenset(
    (
        *("none", "null", "nil", "nan", "na", "n/a", "n.a.", "#n/a", "<na>", "nat", "undefined", "missing", "unknown"),
        *("unlabelled", "unlabeled", "not labelled", "not labeled", "no label", "tbd", "todo", "?", "-", "--"),
    )
)
"""In lower case, with single spaces for what stands between words."""


def is_missing_name(name: str) -> bool:
    """Say whether a class of this name is likely none; -1 is not decided by the name alone."""
    return " ".join(re.split(r"[\s_]+", name.strip().casefold())) in MISSING_NAMES


def drop_setting(names: list[str]) -> str:
    """Return the value of `labels` that leaves out these classes, such as `{drop: [-1]}`."""
    written = (name if re.fullmatch(r"-?\d+", name) else json.dumps(name, ensure_ascii=False) for name in names)
    return f"{{drop: [{', '.join(written)}]}}".replace("'", "\\u0027")  # so that it can stand in quotes of a shell
