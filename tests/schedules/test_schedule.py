import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from finetune_alf.errors import ScheduleError
from finetune_alf.rates import LayerRates, ListedRates
from finetune_alf.recipe import SGD, Recipe
from finetune_alf.schedules import ConfirmedScore, Provenance, Schedule
from finetune_alf.schedules.document import MAX_BYTES
from finetune_alf.schedules.published import published
from tiny import tiny_schedule

rate = st.floats(0, 1e-4, allow_subnormal=False)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    layers = draw(st.lists(rate, min_size=1, max_size=24))
    rates = LayerRates.of(draw(rate), layers, draw(st.floats(1e-6, 1)))
    recipe = Recipe(rates=ListedRates.from_rates(rates), epochs=draw(st.integers(1, 50)), batch=8, max_tokens=48)
    provenance = Provenance(
        study=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
        encoder="random:0",
        architecture="bert",
        n_layers=len(layers),
        sample_name="films",
        trial=draw(st.none() | st.integers(0, 1000)),
    )
    confirmed = ConfirmedScore(metric="accuracy", mean=0.8, low=0.7, high=0.9, n_seeds=2, n_texts=480)
    return Schedule(name="s", recipe=recipe, provenance=provenance, confirmed=draw(st.sampled_from([None, confirmed])))


@given(schedules())
def test_a_schedule_round_trips_through_json_with_its_digest(schedule: Schedule) -> None:
    parsed = Schedule.from_json(schedule.to_json())
    assert (parsed, parsed.digest) == (schedule, schedule.digest)
    assert Schedule.from_json(b"\xef\xbb\xbf" + schedule.to_json().encode()) == schedule


@given(schedules(), st.integers(0, 5))
def test_a_changed_rate_changes_the_digest(schedule: Schedule, index: int) -> None:
    rates: dict[str, float] = {str(address): rate for address, rate in schedule.rates.items()}
    address = list(rates)[index % len(rates)]
    rates[address] = 5e-5 if rates[address] != 5e-5 else 4e-5
    other = schedule.model_copy(update={"recipe": schedule.recipe.with_rates(LayerRates(rates))})
    assert other.digest != schedule.digest


def test_the_published_digests_never_change() -> None:
    # If this fails, versions registered by an earlier release can no longer be verified.
    assert published("distilbert-alf-1").digest == DIGEST


DIGEST = "25bbfdc811d4bfbaa7d0ddef8df8875ee1986e19282e7649c2371809f75579c1"

ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200) | st.text(max_size=200) | ANY_JSON.map(json.dumps))
def test_only_schedule_errors_escape_from_arbitrary_content(content: str | bytes) -> None:
    with pytest.raises(ScheduleError):
        Schedule.from_json(content)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in inner for deeper in _paths(item, (*path, key)))]


WHOLE = published("distilbert-alf-2").model_dump(mode="json")  # as one written by hand, without a checksum


@given(st.sampled_from(_paths(WHOLE)), ANY_JSON)
def test_a_value_replaced_anywhere_gives_a_schedule_or_a_schedule_error(path: tuple[Any, ...], value: Any) -> None:
    document = json.loads(json.dumps(WHOLE))
    if path:
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    else:
        document = value
    with contextlib.suppress(ScheduleError):
        assert Schedule.from_json(json.dumps(document)).rates


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_is_an_error_or_changes_nothing(position: int, bit: int) -> None:
    schedule = published("distilbert-alf-2")
    content = bytearray(schedule.to_json().encode())
    content[position % len(content)] ^= 1 << bit
    try:
        parsed = Schedule.from_json(bytes(content))
    except ScheduleError:
        return
    assert parsed == schedule


@given(st.integers(0, 10_000))
def test_a_truncated_file_is_an_error(length: int) -> None:
    content = published("distilbert-alf-2").to_json().encode().strip()
    with pytest.raises(ScheduleError):
        Schedule.from_json(content[: length % len(content)])


@pytest.mark.parametrize("text", [published("distilbert-alf-2").to_json(), published("distilbert-alf-2").to_yaml()])
def test_an_edited_schedule_is_refused_until_its_checksum_is_deleted(tmp_path: Path, text: str) -> None:
    file = tmp_path / ("mine.json" if text.startswith("{") else "mine.yaml")
    edited = text.replace("distilbert-alf-2", "my-own", 1)
    file.write_text(edited)
    with pytest.raises(ScheduleError, match=r"mine\..* was edited\. Export it again, or delete the key checksum"):
        Schedule.load(file)
    file.write_text("\n".join(line for line in edited.splitlines() if "checksum" not in line))
    assert Schedule.load(file).name == "my-own"


@pytest.mark.parametrize("version", [(1, 1), (1, 2)])
def test_readers_of_both_versions_of_yaml_read_names_of_classes_as_text(version: tuple[int, int]) -> None:
    names = [
        "yes",
        "Yes",
        "NO",
        "on",
        "Off",
        "y",
        "N",
        "true",
        "null",
        "1:30",
        "12:30:45.5",
        "1_000",
        "0777",
        "2024-01-01",
        "x",
    ]
    weights = dict.fromkeys(names, 2.0)
    yaml = YAML(typ="safe", pure=True)
    yaml.version = version
    assert (
        yaml.load(tiny_schedule(LayerRates.of(0.0, [1e-5], 1e-3), class_weights=weights).to_yaml())["recipe"][
            "class_weights"
        ]
        == weights
    )


@pytest.mark.parametrize("name", ["mine.json", "mine.yaml"])
def test_the_link_to_the_schema_that_editors_write_is_read_over(tmp_path: Path, name: str) -> None:
    schedule, link = published("distilbert-alf-2"), "urn:finetune-alf:schedule:2"
    linked = {"$schema": link, **json.loads(schedule.to_json())}
    text = json.dumps(linked) if name.endswith(".json") else f'"$schema": {link}\n{schedule.to_yaml()}'
    (tmp_path / name).write_text(text)
    found = Schedule.load(tmp_path / name)
    assert (found, found.digest, found.to_json()) == (schedule, schedule.digest, schedule.to_json())


@dataclass
class Case:
    content: str | bytes
    message: str


def changed(**changes: Any) -> str:
    return json.dumps({**WHOLE, **changes})


def with_recipe(**changes: Any) -> str:
    return changed(recipe={**WHOLE["recipe"], **changes})


TEXT = json.dumps(WHOLE)
RATES = WHOLE["recipe"]["rates"]
HOSTILE = {
    "too large": Case(TEXT + " " * MAX_BYTES, "bytes, more than"),
    "endless": Case(b"[" * MAX_BYTES, "too deeply nested"),
    "deep": Case('{"a":' * 100_000 + "1" + "}" * 100_000, "too deeply nested"),
    "duplicate key": Case(TEXT.replace('"name":', '"name": "x", "name":', 1), "the key 'name' twice"),
    "NaN": Case(TEXT.replace("35", "NaN", 1), "NaN, which is not a JSON number"),
    "infinity": Case(TEXT.replace("35", "-Infinity", 1), "-Infinity, which is not a JSON number"),
    "1e400": Case(TEXT.replace("35", "1e400", 1), "too large a number"),
    "5,000 digits": Case(TEXT.replace("35", "9" * 5_000, 1), "an integer of 5000 digits"),
    "lone surrogate": Case(TEXT.replace("thesis", "\\ud800", 1), "surrogates not allowed"),
    "lone surrogate as text": Case(TEXT.replace("thesis", "\ud800", 1), "surrogates not allowed"),
    "latin-1": Case(TEXT.replace("thesis", "thèse", 1).encode("latin-1"), "can't decode byte"),
    "a pickle": Case(b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.", "can't decode byte"),
    "empty": Case(b"", "must be a schedule's JSON"),
    "a list": Case(f"[{TEXT}]", "must be one JSON object, but got a list"),
    "unknown field": Case(changed(on_load="os.system"), "on_load: Extra inputs are not permitted"),
    "a number as the link to the schema": Case(changed(**{"$schema": 5}), r"\$schema: Extra inputs"),
    "unknown recipe field": Case(with_recipe(hook="x"), "recipe.hook: Extra inputs are not permitted"),
    "no schema version": Case(changed(schema_version=None), "must have a schema_version"),
    "true as schema version": Case(changed(schema_version=True), "must have a schema_version"),
    "path as name": Case(changed(name="../../etc/passwd"), "name: String should match pattern"),
    "text as a number": Case(with_recipe(epochs="35"), "recipe.epochs: Input should be a valid integer"),
    "a forgetting rate": Case(with_recipe(rates={**RATES, "embeddings": 4e-4}), "catastrophic forgetting"),
    "a huge rate": Case(with_recipe(rates={**RATES, "head": 1e9}), "less than or equal to 1"),
    "a huge rate under SGD": Case(
        with_recipe(rates={**RATES, "embeddings": 1e9}, optimizer=SGD().model_dump()), "less than or equal to 1"
    ),
    "a negative rate": Case(with_recipe(rates={**RATES, "head": -1e-5}), "greater than or equal to 0"),
    "all rates zero": Case(
        with_recipe(rates={"kind": "listed", "embeddings": 0.0, "layers": [0.0] * 6, "head": 0.0}), "above 0"
    ),
    "another depth": Case(with_recipe(rates={**RATES, "layers": [0.0] * 5}), "must list 6 layers"),
    "a rule instead of rates": Case(with_recipe(rates={"kind": "uniform", "rate": 2e-5}), "must list 6 layers"),
}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("case", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_content_is_refused_by_name(case: Case) -> None:
    with pytest.raises(ScheduleError, match=case.message) as caught:
        Schedule.from_json(case.content, "there.json")
    assert str(caught.value).startswith("there.json: ")
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    ("package_version", "message"),
    [("0.4.0", "needs finetune_alf >= 0.4.0"), (None, "needs a newer finetune_alf"), ("'; x", "a newer finetune_alf")],
)
def test_a_newer_schema_names_the_version_it_needs(package_version: str | None, message: str) -> None:
    content = changed(
        schema_version=3, new="field", provenance={**WHOLE["provenance"], "package_version": package_version}
    )
    with pytest.raises(ScheduleError, match=message):
        Schedule.from_json(content)


def test_an_older_schema_is_refused_with_the_way_out() -> None:
    with pytest.raises(ScheduleError, match=r"schema_version 1, of an earlier finetune_alf.*Register its study again"):
        Schedule.from_json(changed(schema_version=1))


def test_rates_are_for_their_own_depth_only() -> None:
    schedule = published("distilbert-alf-1")
    assert schedule.for_depth(6) == schedule.rates
    with pytest.raises(
        ScheduleError, match=r"12 layers, but got 6: layer\.6 has no rate, layer\.7 .* …\. .*stretch\(12\)"
    ):
        schedule.for_depth(12)
    with pytest.raises(ScheduleError, match=r"layer\.4 is not in the encoder, layer\.5 is not in the encoder\."):
        schedule.for_depth(4)


def test_a_schedule_of_which_nothing_learns_at_another_depth_is_not_stretched_to_it() -> None:
    one_open = tiny_schedule(LayerRates.of(0.0, [0.0, 3e-5, 0.0], 0.0))
    assert one_open.stretch(1).rates.layers == (3e-5,)
    for stretched in (one_open.stretch, lambda n: one_open.applied_to(one_open.recipe, n, stretch=True)):
        with pytest.raises(
            ScheduleError, match=r"tiny-alf-1: must have a rate above 0 that 2 of its 3 layers keep, but"
        ):
            stretched(2)
