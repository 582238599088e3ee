"""`params use`: what an overlay speaks of changes, every comment and all else stays."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from finetune_alf.errors import ParamsError
from finetune_alf.params import load_params
from finetune_alf.params.document import overlay
from finetune_alf.params.edit import lay_over
from finetune_alf.params.presets import find_source, preset_names
from finetune_alf.params.reading import parse_document
from finetune_alf.params.writing import use_presets, write_params

DEFAULT = find_source("default").text
KEYS = st.sampled_from("abcdef")


def edited(text: str, over: str) -> str:
    return lay_over(text, over, source="params.yaml", over_source="over.yaml")


@pytest.mark.parametrize(
    ("text", "over", "expected"),
    [
        ("a: 1 # one\nb: 2\n", "a: 3\n", "a: 3 # one\nb: 2\n"),
        ("a: 1\n# about b\nb: 2\n", "a: ~\n", "# about b\nb: 2\n"),
        ("a:\n  b: 1\n\n# about c\nc: 2\n", "a: {d: 3}\n", "a:\n  b: 1\n  d: 3\n\n# about c\nc: 2\n"),
        ("a: {b: 1, c: 2} # kept\n", "a: {b: ~, d: [1]}\n", "a: {c: 2, d: [1]} # kept\n"),
        ("a: {b: 1}\n", "a: {b: ~}\n", "a: {}\n"),
        ("a: {b: 1, c: {d: 1}}\n", "a: {b: 2, c: {e: 3}, f: 4}\n", "a: {b: 2, c: {d: 1, e: 3}, f: 4}\n"),
        ("a:\n  b: 1\nc: 2\n", "a: {b: ~}\n", "a: {}\nc: 2\n"),
        ("a: # why: so\n  b: 1\n", "a: {b: ~}\n", "a: # why: so\n  {}\n"),
        ("a:\n  b: 1 # old\nc: 2\n", "a:\n  b: ~\n  d: 3 # new\n", "a:\n  d: 3 # new\nc: 2\n"),
        ("a: [1, 2] # list\n", "a: [3]\n", "a: [3] # list\n"),
        ("a:\n  - 1\n  - 2\n# after\nb: 1\n", "a: [3]\n", "a: [3]\n# after\nb: 1\n"),
        ("a: [1]\n", "a:\n  - 3\n  - 4\n", "a:\n  - 3\n  - 4\n"),
        ("a: 1\n", "a:\n    b: 2\n", "a:\n    b: 2\n"),
        ("a: {b: 1}\n", "a: {c: {d: 1}}\n", "a: {b: 1, c: {d: 1}}\n"),
        ("a:\n    b: 1\n", "a:\n  # why\n  c: 2\n", "a:\n    b: 1\n    # why\n    c: 2\n"),
        ("a:\nb: 2\n", "a: 3\n", "a: 3\nb: 2\n"),
        ("a: 'x' # text\n", 'a: "y: z"\n', 'a: "y: z" # text\n'),
        ("a: |\n  x\n  y\nb: 1\n", "a: z\n", "a: z\nb: 1\n"),
        ("a:\n  b: 1\n", "a: {c: {d: ~, e: 2}}\n", "a:\n  b: 1\n  c: {e: 2}\n"),
        ("a: 1\n", "c:\n  d: ~\n  e: 2\n", "a: 1\nc: {e: 2}\n"),
        ("a: 1", "b: 2", "a: 1\nb: 2\n"),
        ("a: {} # none yet\nb: 1\n", "a:\n  c: 2 # two\n", "a: # none yet\n  c: 2 # two\nb: 1\n"),
        ("a: {}\nb: 1\n", "# why: so\na:\n  c: 2\nd: 3\n", "a:\n  c: 2\nb: 1\nd: 3\n"),
        ("x:\n  a: {}\n", "x:\n    a:\n        c: 2\n", "x:\n  a:\n      c: 2\n"),
        ("a: {}\n", "a:\n  c: 2\nb: 1\n", "a:\n  c: 2\nb: 1\n"),
        ("a: {}\n", "a: {c: 2}\n", "a: {c: 2}\n"),
        ("a: {}\n", "a:\n  c: ~\n  d: 2\n", "a: {d: 2}\n"),
        ("a: 1 # one\nb: 2\n", "a:\n  - 3\n", "a: # one\n  - 3\nb: 2\n"),
        ("a:\n  b:\n    c: 1\n", "a:\n  b:\n    d: 2\n  e: 3\nf: 4\n", "a:\n  b:\n    c: 1\n    d: 2\n  e: 3\nf: 4\n"),
    ],
)
def test_only_what_an_overlay_names_changes(text: str, over: str, expected: str) -> None:
    assert edited(text, over) == expected


def test_what_cannot_be_edited_in_place_is_refused() -> None:
    with pytest.raises(ParamsError, match="without anchors"):
        edited("a: &a {b: 1}\nc: *a\n", "a: {b: 2}\nc: {b: 3}\n")


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_in_the_file_means_the_same_as_laid_over_it(name: str) -> None:
    text, over = DEFAULT, find_source(name).text
    expected = overlay(parse_document(text, "params.yaml"), parse_document(over, name)).value
    assert parse_document(edited(text, over), "params.yaml").value == expected


@pytest.mark.parametrize("name", preset_names())
def test_using_a_preset_twice_changes_nothing_more(name: str) -> None:
    once = edited(DEFAULT, find_source(name).text)
    assert edited(once, find_source(name).text) == once


def test_comments_of_the_file_and_of_the_preset_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("# mine\n" + DEFAULT.replace("n_trials: 40", "n_trials: 40 # enough"))
    use_presets(path, ["real-small"])
    text = path.read_text()
    assert text.startswith("# mine\n")
    assert "n_trials: 32 # enough" in text
    assert "# four in five are positive" in text
    for line in DEFAULT.splitlines():
        if line.lstrip().startswith("#"):
            assert line in text
    assert load_params(path) == load_params(tmp_path / "none.yaml", ["real-small"])


def test_an_invalid_outcome_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    use_presets(path, ["real-small"])
    before = path.read_bytes()
    with pytest.raises(ParamsError, match=r"it is unchanged.*--anew thesis-bert"):
        use_presets(path, ["thesis-bert"])
    assert path.read_bytes() == before
    use_presets(path, ["thesis-bert"], anew=True)
    assert list(load_params(path).studies) == ["bert"]
    assert list(tmp_path.iterdir()) == [path]


def test_written_params_read_back_the_same(tmp_path: Path) -> None:
    params = load_params(tmp_path / "none.yaml", ["thesis-roberta"])
    write_params(tmp_path / "results" / "params.yaml", params)
    assert load_params(tmp_path / "results" / "params.yaml") == params


SCALARS = st.one_of(st.integers(-9, 9), st.booleans(), st.text("ab #'", max_size=4))
TREES = st.recursive(SCALARS | st.lists(SCALARS, max_size=3), lambda inner: st.dictionaries(KEYS, inner, max_size=4))
MAPS = st.dictionaries(KEYS, TREES, min_size=1, max_size=4)


def written(value: object, flow: bool | None) -> str:
    yaml = YAML()
    yaml.default_flow_style = flow
    text = io.StringIO()
    yaml.dump(value, text)
    return text.getvalue()


@settings(max_examples=80, deadline=None)
@given(MAPS, MAPS, st.lists(KEYS, max_size=2), st.sampled_from([None, False]), st.sampled_from([None, False]))
def test_any_overlay_edited_in_means_the_same_as_laid_over(
    under: dict[str, object], over: dict[str, object], gone: list[str], one: bool | None, other: bool | None
) -> None:
    text = written(under, one)
    new = written({**over, **dict.fromkeys(gone)}, other)
    expected = overlay(parse_document(text, "params.yaml"), parse_document(new, "over.yaml")).value
    assert parse_document(edited(text, new), "params.yaml").value == expected
