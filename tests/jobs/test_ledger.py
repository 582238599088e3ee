"""The ledger of finished fits: what is on disk is found again, and lines that cannot be read are done again."""

import pytest

from damage import N_DAMAGES, damages
from fake_results import fake_result
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from tiny import tiny_recipe, tiny_spec

JOBS = [FitJob(str(seed), tiny_recipe(), tiny_spec(), "5a" * 32, seed, "fp32") for seed in range(3)]


@pytest.fixture
def path(tmp_path):
    ledger = Ledger(tmp_path / "studies" / "stage.jobs.jsonl")
    for index, job in enumerate(JOBS):
        ledger.add(job, fake_result(score=index / 10))
    return tmp_path / "studies" / "stage.jobs.jsonl"


def found(path):
    results = map(Ledger(path).find, JOBS)
    return [result and result.score for result in results]


def test_finished_fits_are_found_again(path):
    assert found(path) == [0.0, 0.1, 0.2]


DAMAGES = {
    "a byte that is not UTF-8": lambda line: line.replace(b"cpu", b"c\xffu"),
    "a byte of zero": lambda line: line.replace(b"cpu", b"c\0u"),
    "cut off by a kill": lambda line: line[:40],
    "another document": lambda line: b"[1]",
    "nothing": lambda line: b"",
}


def test_a_bad_byte_or_a_lost_end_costs_fits_with_a_warning_and_gives_no_other_result(path, caplog):
    content, results = path.read_bytes(), [Ledger(path).find(job) for job in JOBS]
    n_warned = 0
    for damaged in damages(content):
        path.write_bytes(damaged)
        caplog.clear()
        read = [Ledger(path).find(job) for job in JOBS]
        assert all(one in (None, result) for one, result in zip(read, results, strict=True)), damaged
        n_warned += "is skipped, and its fit is done again" in caplog.text
        assert len(damaged) < len(content) or None not in read or caplog.text
    assert n_warned > N_DAMAGES * 0.9


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_damaged_line_costs_its_own_fit_alone(path, index, damage):
    head, *lines = path.read_bytes().split(b"\n")
    lines[index] = damage(lines[index])
    path.write_bytes(b"\n".join([head, *lines]))
    assert found(path) == [None if row == index else row / 10 for row in range(3)]
    ledger = Ledger(path)
    ledger.add(JOBS[index], fake_result(score=0.9))
    assert found(path)[index] == 0.9
