"""Files, locks, errors and seeds."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf import errors
from finetune_alf.errors import AlfError, InputError, LockedError, StorageError
from finetune_alf.files import (
    canonical_json,
    digest,
    hold_lock,
    read_jsonl,
    replace_folder,
    write_bytes,
    write_json,
    write_jsonl,
    write_once,
)
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
    assert json.loads(path.read_text()) == {"old": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["kept.json"]


def test_the_first_writer_of_a_file_wins_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "made" / "once.txt"
    assert write_once(path, "é\n") == write_once(path, "later\n") == path.read_text("utf-8") == "é\n"
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(StorageError, match=r"cannot write .*once.txt/below"):
        write_once(path / "below", "")


def test_a_folder_is_replaced_atomically(tmp_path):
    folder = tmp_path / "out"
    with replace_folder(folder) as new:
        (new / "a").write_text("1")
    with pytest.raises(FileNotFoundError), replace_folder(folder) as new:
        (new / "no" / "b").write_text("2")
    assert [file.name for file in folder.iterdir()] == ["a"]
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


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
    rows = ["one\u2028line", "one\u0085line\x1c", "two\nlines", ""]
    write_jsonl(path, rows)
    assert read_jsonl(path) == rows


def test_a_byte_that_is_no_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'"a"\n"\xff"\n')
    with pytest.raises(InputError, match=r"rows.jsonl:2: must be JSON"):
        read_jsonl(path)


def test_a_folder_that_cannot_be_put_in_place_leaves_the_former_one(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "folder"
    with replace_folder(folder) as new:
        (new / "file").write_text("former")
    replace = os.replace

    def refuse_the_new_one(source: Path, target: Path) -> None:
        if Path(target) == folder and not str(source).endswith(".previous"):
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr("finetune_alf.files.os.replace", refuse_the_new_one)
    with pytest.raises(StorageError), replace_folder(folder) as new:
        (new / "file").write_text("later")
    assert (folder / "file").read_text() == "former"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_second_process_is_refused_by_the_name_of_the_owner(tmp_path):
    named = f"process {os.getpid()} on .* since "
    with hold_lock(tmp_path / "x.lock"), pytest.raises(LockedError, match=named), hold_lock(tmp_path / "x.lock"):
        pass
    with hold_lock(tmp_path / "x.lock"):
        pass  # free again


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    script = (
        "import os, sys, pathlib\nfrom finetune_alf.files import hold_lock\n"
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
