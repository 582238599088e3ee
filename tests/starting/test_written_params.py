"""What `init` writes reads back as it was, whatever classes, columns and files are called."""

import pytest

from finetune_alf.data.spec import LabelsSpec
from finetune_alf.params.reading import parse_document
from finetune_alf.starting.columns import Guess
from finetune_alf.starting.params_text import Start, params_text, start_params
from finetune_alf.starting.sizes import guess_sizes

NAMES = (
    "?",
    "?x",
    "? x",
    "??",
    "?\x85x",
    ":)",
    ": x",
    ":1",
    "-x",
    "a: b",
    "#x",
    "null",
    "1e5",
    "1:30",
    "yes",
    "~",
    "[x",
    "x}",
    "'",
    '"',
    "a\nb",
    "…\x85",
)
"""Those that begin with ? are keys in a list of YAML, with : a value in a map; a line end of Latin-1 is a space."""


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_kind_are_read_as_they_were(name: str) -> None:
    start = Start(
        project="1e5",
        table=f"tables/{name.strip()}.csv",
        encoder_name="own",
        encoder={"kind": "folder", "path": name},
        text=Guess(name, "seen"),
        label=Guess(f"{name}2", "seen"),
        task=Guess("classification", "seen"),
        sizes=guess_sizes({"a": 100, "b": 120}, "even"),
        metric=Guess("accuracy", "seen"),
        max_tokens=Guess(32, "seen"),
        left_out=(name,),
        labels=LabelsSpec(map={"a": name, name: "a"}, drop=("b", name)),
    )
    found = parse_document(params_text(start), "params.yaml")
    assert (found.value, found.faults) == (start_params(start), ())
