"""A ledger finds the result of an equal job, and of no other."""

import os
import stat
from dataclasses import replace

import pytest

from fake_results import fake_result
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.rates import UniformRates
from tiny import tiny_recipe, tiny_spec

JOB = FitJob("a", tiny_recipe(), tiny_spec(), "5a" * 32, seed=1, precision="fp32", score_on="test", metric="matthews")


@pytest.fixture
def ledger(tmp_path):
    filled = Ledger(tmp_path / "ledgers" / "of.jobs.jsonl")
    filled.add(JOB, fake_result(score=0.5))
    return filled


def test_an_equal_job_is_found_under_any_key_and_when_the_file_is_read_again(ledger, tmp_path):
    for one in (ledger, Ledger(tmp_path / "ledgers" / "of.jobs.jsonl")):
        assert one.find(replace(JOB, key="b")) == fake_result(score=0.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"precision": "bf16"},
        {"score_on": "validation"},
        {"metric": "accuracy"},
        {"sample": "6b" * 32},
        {"encoder": tiny_spec(dropout=0.2)},
        {"recipe": tiny_recipe(epochs=4)},
        {"recipe": tiny_recipe(rates=UniformRates(rate=2e-3, head=1e-3))},
    ],
    ids=str,
)
def test_a_job_that_differs_is_not_found(ledger, changes):
    assert ledger.find(replace(JOB, **changes)) is None


def test_a_result_is_on_disk_once_it_is_added(ledger, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(stat.S_ISREG(os.fstat(handle).st_mode)))
    ledger.add(replace(JOB, seed=2), fake_result(score=0.25))
    assert synced == [True]
