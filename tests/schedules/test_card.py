"""The card of a schedule, and the commands that compare, stretch and hand on schedules."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fake_comparisons import compared
from fake_locks import fake_candidate, fake_schedule
from finetune_alf import Schedule
from finetune_alf.cli.entry import group
from finetune_alf.rates import LayerRates
from finetune_alf.register.lock import LockDocument, LockedSchedule
from finetune_alf.schedules.card import ConfirmedDifference, card
from finetune_alf.schedules.json_schema import json_schema
from finetune_alf.schedules.published import PUBLISHED_NAMES, published
from golden import golden

ONE, TWO = "distilbert-alf-1", "distilbert-alf-2"


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, ["schedules", *words, "--root", str(root)])


def test_a_card_has_source_difference_rates_figure_and_ways_to_use_it() -> None:
    text = card(
        published(ONE), "m@a", ConfirmedDifference(0.012, -0.003, 0.027, "no evidence of a difference"), "f.png"
    )
    assert "| encoder | distilbert/distilbert-base-uncased, 6 layers (distilbert) |" in text
    assert (
        "| difference from plain fine-tuning | +.012 \\[-.003, +.027\\] on the confirmation split: "
        "no evidence of a difference |" in text
    )
    assert "| layer.1 | 0 | frozen |" in text
    assert "(f.png)" in text
    assert text.count("```") == 6
    assert 'Schedule.pull("m@a")' in text


def test_text_from_outside_stays_text() -> None:
    one = published(ONE)
    hostile = one.provenance.model_copy(update={"sample_name": "a | b\n# <script>[x](y)`"})
    text = card(one.model_copy(update={"provenance": hostile}), "a b.json")
    assert "a \\| b # &lt;script>\\[x\\](y)\\`" in text
    assert "finetune-alf schedules pull 'a b.json'" in text
    assert 'Schedule.load("a b.json")' in text


def test_a_card_takes_the_difference_and_the_figure_of_the_folders_study(tmp_path: Path) -> None:
    candidate = fake_candidate(
        4, LayerRates.of(0, [0, 2e-5], 1e-3), [0.8, 0.9], from_baseline=compared(0.02, verdict="better")
    )
    schedule = fake_schedule("mine", "alf-1", candidate)
    locked = LockedSchedule(version=1, run_id="r", digest=schedule.digest, trial=4, schedule=schedule)
    lock = LockDocument(
        study="mine", model="alf-x.mine", metric="accuracy", schedules={"alf-1": locked}, candidates=(candidate,)
    )
    for folder in ("schedules", "importance"):
        (tmp_path / "results" / folder).mkdir(parents=True)
    (tmp_path / "results/schedules/mine.json").write_text(lock.model_dump_json())
    (tmp_path / "results/importance/mine.png").write_bytes(b"\x89PNG")
    (tmp_path / "mine.json").write_text(schedule.to_json())
    out = tmp_path / "card.md"
    assert run(tmp_path, "card", str(tmp_path / "mine.json"), "--out", str(out)).exit_code == 0
    text = out.read_text()
    assert "| difference from plain fine-tuning | +.020 " in text
    assert ": better |" in text
    assert "(card.importance.png)" in text
    assert (tmp_path / "card.importance.png").read_bytes() == b"\x89PNG"
    again = run(tmp_path, "card", str(tmp_path / "mine.json"), "--out", str(out))
    assert (again.exit_code, "exists already" in again.stderr) == (3, True)


def test_schedules_are_compared_and_stretched(tmp_path: Path) -> None:
    assert "rates.layer.3     2e-5              2e-8" in run(tmp_path, "diff", ONE, TWO).output
    out = tmp_path / "twelve.yaml"
    assert run(tmp_path, "stretch", ONE, "--layers", "12", "--out", str(out)).exit_code == 0
    assert Schedule.load(out) == published(ONE).stretch(12)
    assert run(tmp_path, "stretch", ONE, "--layers", "12", "--out", str(out)).exit_code == 3


def test_a_pushed_schedule_can_be_pulled_and_is_pushed_once(root: Path) -> None:
    for ref, version in ((ONE, 1), (TWO, 2), (ONE, 1)):
        told = run(root, "push", ref, "team.shared@good")
        assert told.output.startswith(f"team.shared@good: version {version}, digest {published(ref).digest[:12]}")
    out = root / "good.json"
    assert run(root, "pull", "team.shared@good", "--out", str(out)).exit_code == 0
    assert Schedule.load(out) == published(ONE)
    text = run(root, "card", "team.shared@good").output
    assert 'Schedule.pull("team.shared@good")' in text
    assert "| difference from plain fine-tuning | not known |" in text
    assert run(root, "push", ONE, "../x@y").exit_code == 3


def test_the_published_schema_is_that_of_the_record() -> None:
    printed = CliRunner().invoke(group, ["schedules", "schema"]).output.removesuffix("\n")
    assert printed == golden(Path(__file__).parents[2] / "docs" / "schedule-2.schema.json", printed)


def test_published_schedules_validate_against_the_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    for name in PUBLISHED_NAMES:
        document = json.loads(published(name).to_json())
        jsonschema.validate(document, json_schema())
        jsonschema.validate({"$schema": json_schema()["$id"], **document}, json_schema())
