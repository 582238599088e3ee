"""What a params file may look like, and what each kind of broken one is told."""

import time
from pathlib import Path

import pytest
from dvc.utils.serialize import parse_yaml

from finetune_alf.errors import ParamsError
from finetune_alf.params.document import Document
from finetune_alf.params.reading import parse_document, read_document


def read(text: str) -> Document:
    return parse_document(text, "params.yaml")


def faults(text: str) -> list[str]:
    return [str(fault) for fault in read(text).faults]


def test_numbers_are_read_as_yaml_1_2_has_them() -> None:
    document = read("a: 1e-3\nb: 2e5\nc: 5.\nd: 0o14\ne: 0x1F\nf: 1_000\ng: -3\nh: 1E-5\n")
    assert document.value == {"a": 1e-3, "b": 2e5, "c": 5.0, "d": 12, "e": 31, "f": 1000, "g": -3, "h": 1e-5}
    assert isinstance(document.value["b"], float)


def test_words_and_times_stay_text() -> None:
    assert read("a: yes\nb: on\nc: 12:30:45\nd: 'null'\ne: ~\nf: true\n").value == {
        "a": "yes",
        "b": "on",
        "c": "12:30:45",
        "d": "null",
        "e": None,
        "f": True,
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: .nan\n", "params.yaml:1:4 a: must be a finite number, but got .nan"),
        ("a: -.inf\n", "params.yaml:1:4 a: must be a finite number, but got -.inf"),
        ("a: 1e400\n", "params.yaml:1:4 a: must be a finite number, but got 1e400"),
        ("a: 012\n", "params.yaml:1:4 a: must be a number without leading zeros, but got 012"),
        ("a: 2020-01-01\n", "params.yaml:1:4 a: must not be a date, but got 2020-01-01. Put text in quotes"),
        ("a:\n  b: 1\n  b: 2\n", "params.yaml:3:3 a.b: must be there once, but is on lines 2 and 3"),
        ("1: a\n", "params.yaml:1:1: a key must be text, but got 1. Put it in quotes"),
        ("<<: 1\n", "params.yaml:1:5: `<<` must name a map, but got 1"),
    ],
)
def test_nothing_is_coerced(text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_a_tag_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (fault,) = faults(f"a: !!python/object/apply:os.system ['touch {canary}']\n")
    assert "must be a plain value, but got the tag" in fault
    assert not canary.exists()


def test_a_number_of_five_thousand_digits_is_a_fault_and_no_crash() -> None:
    assert "must be a whole number" in faults(f"a: {'9' * 5000}\n")[0]


def test_merge_keys_and_aliases_are_followed() -> None:
    text = "base: &base {n: 1, m: 2}\nother:\n  <<: *base\n  m: 3\nboth: *base\n"
    assert read(text).value == {"base": {"n": 1, "m": 2}, "other": {"n": 1, "m": 3}, "both": {"n": 1, "m": 2}}


def test_earlier_maps_win_among_merged_ones() -> None:
    assert read("a: &a {n: 1}\nb: &b {n: 2, m: 2}\nc: {<<: [*a, *b]}\n").value["c"] == {"n": 1, "m": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "params.yaml: must hold parameters, but is empty"),
        ("# only a comment\n", "must hold parameters, but is empty"),
        ("- 1\n", "must be a map of sections such as `samples:`, but got a list"),
        ("a\n", "must be a map of sections such as `samples:`, but got a"),
        ("a: [1\nb: 2\n", r"params.yaml:2:2: must be YAML, but expected ',' or '\]'"),
        ("\ta: 1\n", r"params.yaml:1:1: must be YAML, but found character '\\t'"),
        ("a: *x\n", "params.yaml:1:4: must be YAML, but found undefined alias 'x'"),
        ("a: 1\n---\nb: 2\n", "must be YAML, but .*expected a single document|but found another document"),
        ("a\0b: 1\n", "must be YAML, but got unacceptable character"),
        ("a: " + "[" * 5000, "must be nested at most 40 deep"),
        ("a: " + "[" * 60 + "]" * 60, "must be nested at most 40 deep"),
        ("a: &a {b: *a}\n", "must be nested at most 40 deep"),
        ("a: &a {<<: *a}\n", "must be nested at most 40 deep"),
    ],
)
def test_what_is_no_map_names_file_and_place(text: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        read(text)


def test_an_alias_bomb_ends_within_a_second() -> None:
    levels = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12))
    started = time.process_time()
    with pytest.raises(ParamsError, match="must hold at most 50000 values"):
        read(f"a0: &a0 x\n{levels}\n")
    assert time.process_time() - started < 2


def test_byte_order_mark_and_windows_line_ends_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_document(path).value == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1".encode("utf-16"), "must be UTF-8, but got UTF-16"),
        (b"a: \xff\n", "must be UTF-8, but byte 3 is not"),
        (b"a: " + b"x" * (1 << 20), "must be at most 1 MiB"),
    ],
)
def test_unreadable_bytes_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(ParamsError, match=message):
        read_document(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"params\.yaml: must be a readable file.*params use default"):
        read_document(tmp_path / "params.yaml")
    with pytest.raises(ParamsError, match="must be a readable file, but got: Is a directory"):
        read_document(tmp_path)


@pytest.mark.parametrize(
    "text", ["{a: " * 5000, "a: " + "[" * 5000, "a:\n  " + "- " * 5000, "".join(" " * n + "a:\n" for n in range(99))]
)
def test_nesting_ends_where_it_is_too_deep_before_the_rest_is_read(text: str) -> None:
    with pytest.raises(ParamsError, match=r"params.yaml: must be nested at most 40 deep, but is deeper\."):
        read(text)


@pytest.mark.parametrize(
    "scalar",
    [
        "1_0",
        "0x10",
        "-0x1F",
        "0o10",
        "0b11",
        "+5",
        "1_000.5",
        ".5",
        "5.",
        "1e3",
        "1e-3",
        "1E5",
        "6_0e-3",
        "0X10",
        "0o8",
        "1:30",
        "yes",
        "on",
        "~",
        "1e",
        "_1",
    ],
)
def test_a_plain_value_is_what_dvc_reads(scalar: str) -> None:
    ours = parse_document(f"a: {scalar}", "params.yaml")
    dvcs = parse_yaml(f"a: {scalar}", "params.yaml")
    assert not ours.faults
    assert ours.value == dvcs
    assert type(ours.value["a"]) is type(dvcs["a"])
