"""`params use`: what an overlay names changes; all else stays, and each comment stays with its key."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from finetune_alf.errors import ParamsError
from finetune_alf.experiments.registry import load_params, model_of
from finetune_alf.params.document import overlay
from finetune_alf.params.edit import merge_text
from finetune_alf.params.presets import find_source, preset_names
from finetune_alf.params.reading import parse_document
from finetune_alf.params.writing import use_presets, write_params

DEFAULT = find_source("default").text


def read(text: str) -> dict[str, object]:
    return parse_document(text, "params.yaml").value


def laid_over(text: str, over: str) -> dict[str, object]:
    return overlay(parse_document(text, "params.yaml"), parse_document(over, "over.yaml")).value


@pytest.mark.parametrize("name", preset_names())
def test_merging_nothing_into_a_preset_changes_no_byte(name: str) -> None:
    assert merge_text(find_source(name).text, "{}") == find_source(name).text


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_in_the_file_means_the_same_as_laid_over_it_and_twice_as_once(name: str) -> None:
    over = find_source(name).text
    merged = merge_text(DEFAULT, over)
    assert read(merged) == laid_over(DEFAULT, over)
    assert merge_text(merged, over) == merged


@pytest.mark.parametrize(
    ("text", "over", "expected"),
    [
        ("a: 1 # one\nb: 2e-5\n", "a: 3\n", "a: 3 # one\nb: 2e-5\n"),
        ("a: 'x' # text\n", 'a: "y: z"\n', 'a: "y: z" # text\n'),
        ("a: 1\n# about b\nb: 2\n# about c\nc: 3\n", "b: ~\n", "a: 1\n# about c\nc: 3\n"),
        ("a:\n  b: 1\n\n# about c\nc: 2\n", "a: {d: 3}\n", "a:\n  b: 1\n  d: 3\n\n# about c\nc: 2\n"),
        ("a: 1\n# end\n", "b: 2\n", "a: 1\nb: 2\n# end\n"),
        ("a: # why: so\n  b: 1\nc: 2\n", "a: {b: ~}\n", "a: {} # why: so\nc: 2\n"),
        ("a: 1\n", "b: # why: so\n  c: ~\n", "a: 1\nb: {} # why: so\n"),
        ("a: {b: 1, c: {d: 1}}\n", "a: {b: 2, c: {e: 3}, f: 4}\n", "a: {b: 2, c: {d: 1, e: 3}, f: 4}\n"),
        ("a: {b: 1}\n", "a:\n  # about c\n  c: 2 # two\n", "a:\n  b: 1\n  # about c\n  c: 2 # two\n"),
        ("a:\n  - 1\n  - 2\n# about b\nb: ~\n", "a: [3]\n", "a: [3]\n# about b\nb: ~\n"),
        ("a: {}\n", "a:\n  # about b\n  b:\n    c: ~\n    d: [2] # two\n", "a:\n  # about b\n  b:\n    d: [2] # two\n"),
    ],
)
def test_only_what_an_overlay_names_changes(text: str, over: str, expected: str) -> None:
    assert merge_text(text, over) == expected


def test_comments_of_the_file_and_of_the_preset_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("# mine\n" + DEFAULT.replace("n_trials: 16", "n_trials: 16 # enough"))
    use_presets(path, ["real-small"], model=model_of())
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
    use_presets(path, ["real-small"], model=model_of())
    before = path.read_bytes()
    with pytest.raises(ParamsError, match=r"unchanged.*--anew thesis-bert"):
        use_presets(path, ["thesis-bert"], model=model_of())
    assert path.read_bytes() == before
    use_presets(path, ["thesis-bert"], model=model_of(), anew=True)
    assert list(load_params(path).studies) == ["bert"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_run_kept_is_merged_into_where_there_is_no_file_and_only_then_becomes_one(tmp_path: Path) -> None:
    path, kept = tmp_path / "params.yaml", tmp_path / "kept.yaml"
    kept.write_text(DEFAULT.replace("n_trials: 16", "n_trials: 17"))
    with pytest.raises(ParamsError, match="real-smal: must be a file or one of the presets"):
        use_presets(path, ["real-smal"], model=model_of(), kept=kept)
    more = tmp_path / "more.yaml"
    more.write_text("report: {title: 3}\n")
    with pytest.raises(ParamsError, match="the parameters would not be valid"):
        use_presets(path, [str(more)], model=model_of(), kept=kept)
    assert not path.exists()
    more.write_text("report: {title: mine}\n")
    use_presets(path, [str(more)], model=model_of(), kept=kept)
    assert (load_params(path).studies["minilm"].n_trials, load_params(path).report.title) == (17, "mine")


def test_a_file_with_aliases_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(DEFAULT.replace("n_top: 3", "n_top: &three 3").replace("seed: 1", "seed: *three"))
    assert load_params(path).transfer.seed == 3
    before = path.read_bytes()
    with pytest.raises(ParamsError, match="aliases"):
        use_presets(path, ["real-small"], model=model_of())
    assert path.read_bytes() == before


def test_written_params_read_back_the_same(tmp_path: Path) -> None:
    params = load_params(tmp_path / "none.yaml", ["thesis-roberta"])
    write_params(tmp_path / "results" / "params.yaml", params)
    assert load_params(tmp_path / "results" / "params.yaml") == params


KEYS = st.sampled_from("abcdef")
SCALARS = st.one_of(st.integers(-9, 9), st.booleans(), st.text("ab #'", max_size=4))
TREES = st.recursive(SCALARS | st.lists(SCALARS, max_size=3), lambda inner: st.dictionaries(KEYS, inner, max_size=4))
MAPS = st.dictionaries(KEYS, TREES, min_size=1, max_size=4)
Tree = dict[str, object]


def written(value: object, flow: bool | None = False) -> str:
    yaml = YAML()
    yaml.default_flow_style = flow
    text = io.StringIO()
    yaml.dump(value, text)
    return text.getvalue()


@settings(max_examples=40, deadline=None)
@given(MAPS, MAPS, st.lists(KEYS, max_size=2), st.sampled_from([None, False]), st.sampled_from([None, False]))
def test_any_overlay_merged_in_means_the_same_as_laid_over(
    under: Tree, over: Tree, gone: list[str], one: bool | None, other: bool | None
) -> None:
    text, new = written(under, one), written({**over, **dict.fromkeys(gone)}, other)
    assert read(merge_text(text, new)) == laid_over(text, new)


def commented(value: Tree, path: str = "") -> str:
    """Write maps with a comment above each key, which names its path."""
    indent = "  " * path.count(".")
    lines = []
    for key, below in value.items():
        here = f"{path}{key}."
        nested = isinstance(below, dict) and below
        entry = f"{indent}{key}:\n{commented(below, here)}" if nested else f"{indent}{key}: 1 # behind {here}\n"
        lines.append(f"{indent}# above {here}\n{entry}")
    return "".join(lines)


def paths(value: Tree, path: str = "") -> set[str]:
    found = {f"{path}{key}." for key in value}
    return found.union(*(paths(below, f"{path}{key}.") for key, below in value.items() if isinstance(below, dict)))


@settings(max_examples=40, deadline=None)
@given(MAPS, MAPS, st.lists(KEYS, max_size=2))
def test_a_comment_stays_with_its_key(under: Tree, over: Tree, gone: list[str]) -> None:
    text = commented(under)
    merged = merge_text(text, written({**over, **dict.fromkeys(gone)}))
    lines = merged.splitlines()
    for path in paths(read(text)) & paths(read(merged)):
        below = lines[next(i for i, line in enumerate(lines) if line.strip() == f"# above {path}") + 1]
        assert below.strip().startswith(f"{path.split('.')[-2]}:")
