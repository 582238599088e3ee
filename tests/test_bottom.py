"""Files, locks, errors and seeds."""

import ast
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf import errors
from finetune_alf.checksums import canonical_json, digest
from finetune_alf.errors import AlfError, InputError, LockedError, StorageError
from finetune_alf.files import write_bytes, write_once, write_text
from finetune_alf.json_files import read_json, read_jsonl, write_json, write_jsonl
from finetune_alf.locks import hold_lock
from finetune_alf.seeds import child_seed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_canonical_json_round_trips(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


def test_the_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.5})


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "kept.json"
    write_json(path, {"old": 1})
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StorageError, match=rf"^cannot write {path}: no space left on device\. Free space"):
        write_bytes(path, b"new")
    assert read_json(path) == {"old": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["kept.json"]


def test_the_first_writer_of_a_file_wins_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "made" / "once.txt"
    assert write_once(path, "é\n") == write_once(path, "later\n") == path.read_text("utf-8") == "é\n"
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(StorageError, match=r"cannot write .*once.txt/below"):
        write_once(path / "below", "")


def test_what_a_killed_writer_left_is_taken_over(tmp_path):
    (tmp_path / ".kept.json.new").write_text("a longer half of a document")
    write_json(tmp_path / "kept.json", {"a": 1})
    assert read_json(tmp_path / "kept.json") == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["kept.json"]


def test_several_writers_of_one_file_leave_one_whole_content_and_nothing_else(tmp_path):
    path, texts = tmp_path / "shared.txt", [letter * (1 << 16) for letter in "abcd"]

    def write_often(text):
        for _ in range(20):
            write_text(path, text)
            assert path.read_text() in texts

    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(write_often, texts))
    assert path.read_text() in texts
    assert [file.name for file in tmp_path.iterdir()] == ["shared.txt"]


def test_a_folder_that_cannot_be_made_is_named_with_the_reason(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=rf"^cannot write {tmp_path}/file/x\.json: (not a directory|file exists)\."):
        write_json(tmp_path / "file" / "x.json", {})


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(InputError, match=r"^cannot read .*rows\.jsonl: no such file\. Run the stage"):
        read_jsonl(tmp_path / "rows.jsonl")


def test_an_invalid_line_is_named_by_file_and_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(InputError, match=r"rows.jsonl:2: must be JSON"):
        read_jsonl(path)


def test_lines_that_were_written_are_read_back_whatever_characters_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"text": text} for text in ("one\u2028line", "one\u0085line\x1c", "two\nlines", "")]
    write_jsonl(path, rows)
    assert read_jsonl(path) == rows


def test_a_byte_that_is_no_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n{"\xff": 1}\n')
    with pytest.raises(InputError, match=r"rows.jsonl:2: must be JSON"):
        read_jsonl(path)


def test_a_second_process_is_refused_by_the_name_of_the_owner(tmp_path):
    named = f"process {os.getpid()} on .* since "
    with hold_lock(tmp_path / "x.lock"), pytest.raises(LockedError, match=named), hold_lock(tmp_path / "x.lock"):
        pass
    with hold_lock(tmp_path / "x.lock"):
        pass  # free again


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    script = (
        "import os, sys, pathlib\nfrom finetune_alf.locks import hold_lock\n"
        "with hold_lock(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "x.lock")], check=False)
    with hold_lock(tmp_path / "x.lock"):
        pass


@given(st.integers(0, 2**31 - 1), st.text(), st.integers(0, 1000))
def test_child_seeds_are_stable_in_range_and_differ_by_label(seed, label, number):
    child = child_seed(seed, label, number)
    assert 0 <= child < 2**31
    assert child == child_seed(seed, label, number)
    assert child != child_seed(seed, label, number + 1)


def test_every_error_of_the_package_is_in_the_tree_and_has_an_exit_code() -> None:
    package = Path(errors.__file__).parent
    trees = {path: ast.parse(path.read_text()) for path in package.rglob("*.py")}
    classes = [(path.name, node.name) for path, tree in trees.items() for node in ast.walk(tree) if _is_error(node)]
    assert ("errors.py", "WorkerError") in classes
    for file, name in classes:
        assert file == "errors.py", name
        assert issubclass(getattr(errors, name), AlfError)
        assert name in (errors.__doc__ or "")
        assert getattr(errors, name).exit_code in (1, 3, 4, 5)


def _is_error(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and node.name.endswith("Error")


def test_child_seeds_do_not_depend_on_the_machine():
    assert child_seed(1, "fit") == 2078406681
