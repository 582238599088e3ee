"""Overlays: maps merge, lists and scalars replace, `~` removes a key, and faults name the file they are from."""

from pathlib import Path

import pytest

from finetune_alf.errors import ParamsError
from finetune_alf.experiments.registry import load_params
from finetune_alf.params.document import overlay
from finetune_alf.params.presets import find_source
from finetune_alf.params.reading import parse_document


def laid(under: str, over: str) -> dict[str, object]:
    return overlay(parse_document(under, "under.yaml"), parse_document(over, "over.yaml")).value


@pytest.mark.parametrize(
    ("under", "over", "value"),
    [
        ("a: {b: 1, c: 2}", "a: {c: 3, d: 4}", {"a": {"b": 1, "c": 3, "d": 4}}),
        ("a: [1, 2, 3]", "a: [4]", {"a": [4]}),
        ("a: 1\nb: 2", "a: ~", {"b": 2}),
        ("a: {b: 1, c: 2}", "a: {b: ~}", {"a": {"c": 2}}),
        ("a: {b: 1}", "a: 2", {"a": 2}),
        ("a: 2", "a: {b: 1}", {"a": {"b": 1}}),
        ("a: 1", "b: ~", {"a": 1}),
        ("a: 1", "b: {c: ~, d: 2}", {"a": 1, "b": {"d": 2}}),
        ("a: ~", "b: 1", {"a": None, "b": 1}),
    ],
)
def test_maps_merge_and_the_rest_replaces(under: str, over: str, value: object) -> None:
    assert laid(under, over) == value


def test_a_fault_from_an_overlay_names_the_overlay(tmp_path: Path) -> None:
    base, over = tmp_path / "params.yaml", tmp_path / "mine.yaml"
    base.write_text(find_source("default").text)
    over.write_text("studies:\n  minilm:\n    n_trials: 0\n    recipe: {epocs: 3}\n")
    with pytest.raises(ParamsError) as caught:
        load_params(base, [str(over)])
    assert str(caught.value).splitlines() == [
        f"{over}:3:5 studies.minilm.n_trials: must be greater than or equal to 1, but got 0",
        f"{over}:4:14 studies.minilm.recipe.epocs: unknown key (did you mean epochs?)",
    ]


def test_a_removed_section_is_missed_where_it_was_used(tmp_path: Path) -> None:
    base, over = tmp_path / "params.yaml", tmp_path / "mine.yaml"
    base.write_text(find_source("default").text)
    over.write_text("samples: {films: ~}\n")
    with pytest.raises(ParamsError, match=r"studies\.minilm\.sample: must be an entry of samples \(restaurants"):
        load_params(base, [str(over)])


def test_an_unknown_overlay_suggests_the_nearest_preset(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"must be a file or one of the presets .*did you mean thesis-bert\?"):
        load_params(tmp_path / "params.yaml", ["thesis-brt"])


def test_without_a_params_file_a_file_takes_its_place_and_a_preset_lies_over_the_default(tmp_path: Path) -> None:
    full = tmp_path / "full.yaml"
    full.write_text(find_source("default").text.replace("n_trials: 16", "n_trials: 7"))
    assert load_params(tmp_path / "params.yaml", [str(full)]).studies["minilm"].n_trials == 7
    assert load_params(tmp_path / "params.yaml", ["real-small"]).studies["minilm"].n_trials == 32
    assert load_params(tmp_path / "params.yaml", [str(full), "real-small"]).studies["minilm"].n_trials == 32


def test_a_fault_of_a_whole_entry_is_where_the_field_was_set_last(tmp_path: Path) -> None:
    first, second = tmp_path / "rates.yaml", tmp_path / "batch.yaml"
    first.write_text("studies:\n  minilm:\n    recipe:\n      epochs: 3\n      rates: {rate: 4e-4}\n")
    second.write_text("studies: {minilm: {recipe: {batch: 4}}}\n")
    with pytest.raises(ParamsError) as caught:
        load_params(tmp_path / "params.yaml", ["default", str(first), str(second)])
    assert str(caught.value).startswith(f"{first}:5:7 studies.minilm.recipe: rates must be at most 1e-4")


def test_an_overlay_that_is_not_there_is_looked_for_in_the_current_folder(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"there is no such file in .*, where the paths of overlays start"):
        load_params(tmp_path / "params.yaml", ["default", str(tmp_path / "mine.yaml")])


def test_one_wrong_metric_is_one_fault(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("studies: {minilm: {metric: spearman}}\n")
    with pytest.raises(ParamsError) as caught:
        load_params(tmp_path / "params.yaml", ["default", str(mine)])
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{mine}:1:")
    assert "studies.minilm.metric: must be accuracy or" in line
