"""A params.yaml that cannot be used: what `finetune-alf params check` says, as text and as JSON."""

from pathlib import Path

import pytest
from refusals import refusal, refusal_in_json

from finetune_alf.params.presets import find_source

DEFAULT = find_source("default").text

CHANGES = [
    ("epochs: 4", "epocs: 4", "recipe.epocs: unknown key (did you mean epochs?)"),
    ("n_trials: 16", "n_trials: 16\n    n_trials: 17", "n_trials: must be there once, but is on lines"),
    ("n_trials: 16", "n_trials: 0", "n_trials: must be greater than or equal to 1, but got 0"),
    ("rate: 5e-5", "rate: .nan", "must be a finite number, but got .nan"),
    ("rate: 5e-5", "rate: yes", "recipe.rates.rate: must be a valid number"),
    ("n_trials: 16", "n_trials: 012", "must be a number without leading zeros"),
    ("domain: films", "domain: !!python/name:os.system films", "with the tag tag:yaml.org,2002:python/name:os.system"),
    ("  minilm:\n    encoder", "  a/b:\n    encoder", "studies.a/b: must be a name of 1 to 64"),
    ("  minilm:\n    encoder", "  ..:\n    encoder", "studies...: must be a name of 1 to 64"),
    ("project: auto", "project: '${HOME}'", "project: must"),
]

CONTENTS = {
    "empty": (b"", "must hold parameters, but is empty"),
    "a list": (b"- 1\n", "must be a map of sections"),
    "tab": (b"samples:\n\tfilms: 1\n", "params.yaml:2:1: must be YAML"),
    "UTF-16": ("samples: {}\n".encode("utf-16"), "must be UTF-8, but got UTF-16"),
    "a wrong byte": (b"samples: \xff\n", "must be UTF-8, but byte 9 is not"),
    "over 1 MiB": (b"# " + b"x" * (1 << 20), "must be at most 1 MiB"),
    "deep": (b"samples: " + b"[" * 60 + b"]" * 60, "must be nested at most 40 deep"),
    "an endless alias": (b"samples: &a {films: *a}\n", "must be nested at most 40 deep"),
}


@pytest.mark.parametrize(("was", "now", "message"), CHANGES)
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path, was: str, now: str, message: str) -> None:
    assert was in DEFAULT
    (tmp_path / "params.yaml").write_text(DEFAULT.replace(was, now, 1))
    told = refusal(tmp_path, "params", "check")
    assert told.startswith("params.yaml:")
    assert message in told
    assert message in refusal_in_json(tmp_path, "params", "check")


@pytest.mark.parametrize(("content", "message"), CONTENTS.values(), ids=CONTENTS)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    assert message in refusal(tmp_path, "params", "check")
    assert message in refusal_in_json(tmp_path, "params", "check")


def test_a_folder_of_that_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").mkdir()
    assert "params.yaml: must be a readable file, but got: Is a directory" in refusal(tmp_path, "params", "check")


def test_several_wrong_values_are_told_at_once(tmp_path: Path) -> None:
    text = (
        DEFAULT.replace("epochs: 4", "epochs: -1")
        .replace("n_trials: 16", "n_trials: 0")
        .replace("n_top: 3", "n_top: 0")
    )
    (tmp_path / "params.yaml").write_text(text)
    told = refusal(tmp_path, "params", "check")
    assert [line.split()[1] for line in told.splitlines()] == [
        "studies.minilm.recipe.epochs:",
        "studies.minilm.n_trials:",
        "register.n_top:",
    ]
