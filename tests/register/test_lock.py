"""A lock file is believed only while its schedules have the digests that they were registered with."""

import json

import pytest

from fake_locks import fake_candidate, fake_lock
from finetune_alf.errors import InputError
from finetune_alf.json_files import read_json, write_json
from finetune_alf.register.lock import locked_schedules, read_lock
from finetune_alf.schedules.published import published
from finetune_alf.schedules.registry import ScheduleVersion

SCHEDULES = {"alf-1": published("bert-alf-1"), "alf-2": published("bert-alf-2")}


@pytest.fixture
def path(tmp_path):
    versions = {
        alias: ScheduleVersion("alf-bert", number, schedule.digest, "run", (alias,))
        for number, (alias, schedule) in enumerate(SCHEDULES.items(), start=1)
    }
    locked = locked_schedules(SCHEDULES, versions)
    candidates = [fake_candidate(number, each.rates, (0.8, 0.7)) for number, each in enumerate(SCHEDULES.values())]
    fake_lock("bert", candidates, schedules=locked).write(tmp_path / "bert.json")
    return tmp_path / "bert.json"


def test_a_lock_file_holds_its_schedules_whole(path):
    assert {alias: locked.schedule for alias, locked in read_lock(path).schedules.items()} == SCHEDULES


def test_an_edited_lock_file_is_refused(path):
    epochs = f'"epochs": {SCHEDULES["alf-2"].recipe.epochs},'
    document = json.dumps(read_json(path))
    assert epochs in document
    write_json(path, json.loads(document.replace(epochs, '"epochs": 77,')))
    with pytest.raises(InputError, match=r"alf-[12]: must have the digest .* the file was edited"):
        read_lock(path)
