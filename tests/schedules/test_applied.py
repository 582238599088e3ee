"""A schedule in another project's training: groups, freezing, tables, other depths, differences, files."""

import copy
import json
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner
from transformers import BertConfig, BertForSequenceClassification, BertModel

from finetune_alf import Schedule, param_groups
from finetune_alf.cli.entry import group as commands
from finetune_alf.errors import RatesError, ScheduleError
from finetune_alf.rates import LayerRates
from finetune_alf.recipe import SGD, AdamW, LoraAdapter
from finetune_alf.schedules.description import describe
from finetune_alf.schedules.published import PUBLISHED_NAMES
from tiny import TINY_BERT, load_tiny, tiny_schedule

RATES = LayerRates.of(1e-5, [0, 2e-5, 3e-5], 4e-5)
SCHEDULE = tiny_schedule(RATES)


def bert() -> BertForSequenceClassification:
    return BertForSequenceClassification(BertConfig(**{**TINY_BERT, "num_labels": 2}))


def test_without_weight_decay_each_address_that_learns_has_one_group() -> None:
    groups = SCHEDULE.param_groups(bert())
    assert [(group["address"], group["lr"]) for group in groups] == [
        ("embeddings", 1e-5),
        ("layer.1", 2e-5),
        ("layer.2", 3e-5),
        ("head", 4e-5),
    ]
    decayed = SCHEDULE.param_groups(bert(), weight_decay=0.01)
    assert [group["weight_decay"] for group in decayed] == [0.01, 0.0] * 4


def test_param_groups_take_a_schedule_as_they_take_rates() -> None:
    model = bert()
    by_schedule, by_rates = param_groups(model, SCHEDULE), param_groups(model, RATES)
    assert [group["lr"] for group in by_schedule] == [group["lr"] for group in by_rates]
    assert [list(map(id, group["params"])) for group in by_schedule] == [
        list(map(id, group["params"])) for group in by_rates
    ]


def test_applying_freezes_and_shows_what_lies_where() -> None:
    model = bert()
    table = SCHEDULE.apply(model)
    assert sum(row.n_parameters for row in table) == sum(p.numel() for p in model.parameters())
    assert [row.state for row in table] == ["learns", "frozen", "learns", "learns", "learns"]
    assert not any(p.requires_grad for p in model.bert.encoder.layer[0].parameters())
    lines = str(table).splitlines()
    assert lines[2].split() == ["layer.0", "2,224", "0", "frozen"]
    assert repr(table) == str(table)


def test_what_the_user_froze_stays_frozen_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    model = bert()
    model.bert.encoder.layer[1].output.dense.weight.requires_grad_(False)
    groups = SCHEDULE.param_groups(model)
    held = {id(parameter) for group in groups for parameter in group["params"]}
    assert id(model.bert.encoder.layer[1].output.dense.weight) not in held
    assert not model.bert.encoder.layer[1].output.dense.weight.requires_grad
    assert "bert.encoder.layer.1.output.dense.weight: frozen before" in caplog.text
    assert [row.state for row in SCHEDULE.apply(model)][2] == "learns (1,712 of 2,224)"


@pytest.mark.parametrize("measured", [None, {**dict.fromkeys(RATES, 0.5), "layer.0": 1e-4}])
def test_apply_and_show_have_one_word_for_what_a_rate_does(measured: dict[str, float] | None) -> None:
    schedule = tiny_schedule(LayerRates.of(5e-9, [5e-5, 0, 5e-5], 1e-3))
    known = schedule.provenance.model_copy(update={"n_steps": 56, "movement": measured})
    schedule = schedule.model_copy(update={"provenance": known})
    table = schedule.apply(bert())
    shown = [line.split()[2:] for line in describe(schedule) if line.strip().startswith(tuple(RATES))]
    assert len(shown) == len(table) == 5
    assert all(" ".join(words).startswith(row.state) for words, row in zip(shown, table, strict=True))
    assert "barely moves" in [row.state for row in table]
    assert str(table).endswith("barely moves: by less than 0.002 of the weights' size in 56 steps")


def test_what_one_schedule_froze_another_opens(caplog: pytest.LogCaptureFixture) -> None:
    model = bert()
    SCHEDULE.apply(model)
    other = tiny_schedule(LayerRates.of(0, [1e-5, 0, 0], 4e-5))
    assert [row.state for row in other.apply(model)] == ["frozen", "learns", "frozen", "frozen", "learns"]
    assert caplog.text == ""


def test_a_copy_of_a_model_knows_what_a_schedule_froze_and_what_the_user_froze(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = bert()
    model.classifier.bias.requires_grad_(False)
    SCHEDULE.apply(model)
    other = tiny_schedule(LayerRates.of(0, [1e-5, 0, 0], 4e-5))
    caplog.clear()
    table = other.apply(copy.deepcopy(model))
    assert [row.state for row in table][:4] == ["frozen", "learns", "frozen", "frozen"]
    assert caplog.text.count("frozen before") == 1
    assert "classifier.bias: frozen before" in caplog.text


def test_a_model_that_the_user_froze_as_a_whole_is_refused_with_the_way_out_and_not_changed() -> None:
    model = bert().requires_grad_(False)
    for refused in (SCHEDULE.apply, SCHEDULE.optimizer, lambda frozen: param_groups(frozen, RATES)):
        with pytest.raises(
            RatesError, match=r"above 0 for embeddings, layer\.1, layer\.2, head, but all.*requires_grad_\(True\) first"
        ):
            refused(model)
    model.requires_grad_(True)
    assert len(SCHEDULE.param_groups(model)) == 4


def test_rates_of_0_everywhere_are_refused_before_anything_is_frozen() -> None:
    model = bert()
    with pytest.raises(RatesError, match="but got 0 everywhere"):
        param_groups(model, LayerRates.of(0, [0, 0, 0], 0))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_body_without_a_head_has_no_parameters_there() -> None:
    body = BertModel(BertConfig(**TINY_BERT), add_pooling_layer=False)
    table = SCHEDULE.apply(body)
    assert [row.state for row in table] == ["learns", "frozen", "learns", "learns", "no parameters"]
    assert "no parameters" in str(table)


def test_the_optimizer_is_that_of_the_recipe() -> None:
    adamw = tiny_schedule(RATES, optimizer=AdamW(betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1)).optimizer(bert())
    assert isinstance(adamw, torch.optim.AdamW)
    assert {(group["betas"], group["eps"]) for group in adamw.param_groups} == {((0.8, 0.9), 1e-6)}
    sgd = tiny_schedule(RATES, optimizer=SGD(momentum=0.5)).optimizer(bert())
    assert isinstance(sgd, torch.optim.SGD)
    assert {group["momentum"] for group in sgd.param_groups} == {0.5}


def test_another_depth_is_refused_and_stretching_is_the_way_out() -> None:
    six = Schedule.published("distilbert-alf-1")
    with pytest.raises(ScheduleError, match=r"3 layers, but got 6.*schedule\.stretch\(3\)"):
        six.apply(bert())
    three = six.stretch(3)
    assert three.rates.layers == tuple(six.rates.layers[i] for i in (1, 3, 5))
    assert (three.name, three.confirmed, three.provenance.n_layers) == ("distilbert-alf-1-stretched-3", None, 3)
    assert Schedule.from_json(three.to_json()) == three
    assert len(three.apply(bert())) == 5
    assert six.stretch(6) is six


def test_a_schedule_found_with_adapters_asks_for_them() -> None:
    with pytest.raises(ScheduleError, match=r"was found with lora adapters, and the model has none.*with_adapter"):
        tiny_schedule(RATES, adapter=LoraAdapter(rank=2)).apply(bert())


def test_a_frozen_pooler_stays_out_of_the_groups() -> None:
    model = bert()
    states = {row.address: row.state for row in tiny_schedule(RATES, pooler="frozen").apply(model)}
    assert states["pooler"] == "frozen"
    assert not model.bert.pooler.dense.weight.requires_grad
    assert model.classifier.weight.requires_grad


def test_an_encoder_of_this_package_is_taken_with_its_addresses() -> None:
    assert [row.address for row in SCHEDULE.apply(load_tiny())] == list(RATES)


def test_a_difference_has_the_fields_that_differ_rates_by_address() -> None:
    one, two = Schedule.published("distilbert-alf-1"), Schedule.published("distilbert-alf-2")
    found = {row.field: (row.first, row.second) for row in one.diff(two)}
    assert found["rates.layer.3"] == (2e-5, 2e-8)
    assert not any(field.startswith("recipe") for field in found)
    assert len(one.diff(one)) == 0
    assert str(one.diff(one)) == "distilbert-alf-1 and distilbert-alf-1 are equal"
    deeper = {row.field: row.first for row in one.diff(one.stretch(7))}
    assert deeper["rates.layer.6"] == "-"
    assert "rates.layer.3     2e-5" in str(one.diff(two))


def test_a_difference_between_depths_has_all_rates_first_from_the_input_up() -> None:
    shallow = Schedule.published("distilbert-alf-1")
    deep = shallow.stretch(8)
    for one, two in ((shallow, deep), (deep, shallow)):
        fields = [row.field for row in one.diff(two)]
        assert fields == [*(f"rates.layer.{index}" for index in range(2, 8)), "provenance.n_layers"]


def test_long_values_that_begin_alike_are_shown_where_they_differ() -> None:
    one, two = Schedule.published("distilbert-alf-1"), Schedule.published("bert-alf-1")
    (line,) = (line for line in str(one.diff(two)).splitlines() if line.startswith("provenance.citation"))
    assert line.split(maxsplit=1)[1].split("  ", 1)[0] == "…table 4.2"
    assert line.endswith("…table 4.4")
    longer = one.model_copy(update={"provenance": one.provenance.model_copy(update={"citation": "x" * 60})})
    assert f"{'x' * 39}…" in str(one.diff(longer))


@pytest.mark.parametrize(("other", "kind"), [(RATES, "LayerRates"), ("distilbert-alf-2", "str")])
def test_a_difference_from_something_else_is_refused_with_what_to_pass(other: Any, kind: str) -> None:
    with pytest.raises(ScheduleError, match=rf"must get a Schedule, but got {kind}\..*Schedule\.pull"):
        SCHEDULE.diff(other)


@pytest.mark.parametrize("name", ["mine.YAML", "mine.Yml", "mine.JSON"])
def test_files_in_capitals_are_what_their_names_say(name: str, tmp_path: Any) -> None:
    out = tmp_path / name
    done = CliRunner().invoke(commands, ["schedules", "pull", "distilbert-alf-1", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_text().startswith("{") == (name == "mine.JSON")
    assert Schedule.load(out) == Schedule.pull(str(out)) == Schedule.published("distilbert-alf-1")


@pytest.mark.parametrize("name", PUBLISHED_NAMES[:2])
def test_yaml_is_the_same_document_for_every_reader(name: str, tmp_path: Any) -> None:
    schedule = Schedule.published(name)
    assert yaml.safe_load(schedule.to_yaml()) == json.loads(schedule.to_json())
    (tmp_path / "mine.yaml").write_text(schedule.to_yaml())
    assert Schedule.load(tmp_path / "mine.yaml") == schedule == Schedule.pull(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a: &a [1]\nb: [*a, *a]", "an anchor, an alias or a tag"),
        ("!!python/object/apply:os.system [ls]", "an anchor, an alias or a tag"),
        ("a: [", "must be a schedule's YAML"),
        ("[1]", "must be one JSON object"),
        ("a: 2026-01-01", "must be a schedule's YAML"),
    ],
)
def test_hostile_yaml_is_refused_by_file(content: str, reason: str, tmp_path: Any) -> None:
    (tmp_path / "there.yml").write_text(content)
    with pytest.raises(ScheduleError, match=rf"there\.yml: .*{reason}"):
        Schedule.load(tmp_path / "there.yml")
