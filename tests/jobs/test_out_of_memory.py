"""A fit that runs out of memory begins anew, once, with half as many texts at a time, and its environment says so."""

import json
import logging
from pathlib import Path

import pytest
import torch

from finetune_alf.compute import Compute, Environment
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.spec import SampleSpec
from finetune_alf.jobs import runner as runner_module
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.train.fit import fit
from finetune_alf.train.result import AdjustedFit, recorded
from tiny import tiny_recipe, tiny_spec

FILMS = {"source": {"kind": "mini", "domain": "films"}, "n_train": 16, "n_validation": 16, "n_confirmation": 0}
FILMS |= {"n_test": 16, "max_train_frac": 0.2}
ENVIRONMENT = Environment(device="cpu", precision="fp32", n_threads=1, git_commit=None, versions={})


@pytest.fixture
def sample(tmp_path: Path) -> tuple[str, Path]:
    spec = SampleSpec.model_validate_json(json.dumps(FILMS))
    return prepare_sample("films", spec, tmp_path / "films").digest, tmp_path / "films"


class ShortOfMemory:
    """The fit, in a device that has memory for micro-batches of this size; it keeps the sizes that were tried."""

    def __init__(self, largest: int, error: Exception) -> None:
        self.largest, self.error, self.tried = largest, error, []

    def __call__(self, *args, micro_batch, **options):
        self.tried.append(micro_batch)
        if (micro_batch or 99) > self.largest:
            raise self.error
        return fit(*args, micro_batch=micro_batch, **options)


OOM = [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()]
OOM += [RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")]


@pytest.mark.parametrize("error", OOM, ids=lambda error: type(error).__name__)
def test_the_second_fit_has_half_the_micro_batch_and_gives_its_bits(sample, error, monkeypatch, caplog) -> None:
    digest, folder = sample
    job = FitJob("trial 3", tiny_recipe(batch=4, epochs=1), tiny_spec(), digest, 1, "fp32")
    half = FitRunner({digest: folder}, Compute("cpu", "fp32", 1, micro_batch=2))(job, lambda epoch: True)
    short = ShortOfMemory(2, error)
    monkeypatch.setattr(runner_module, "fit", short)
    with caplog.at_level(logging.WARNING):
        result = FitRunner({digest: folder}, Compute("cpu", "fp32", 1))(job, lambda epoch: True)
    assert short.tried == [None, 2]
    assert "trial 3: out of memory. It begins anew with micro_batch: 2." in caplog.text
    assert isinstance(result, AdjustedFit)
    assert (result.loss, result.predictions) == (half.loss, half.predictions)
    assert recorded(result, ENVIRONMENT).environment.micro_batch == 2
    assert recorded(half, ENVIRONMENT).environment == ENVIRONMENT


@pytest.mark.parametrize(
    ("micro_batch", "error", "tried"),
    [(None, OOM[0], [None, 2]), (1, OOM[0], [1]), (None, RuntimeError("another"), [None])],
)
def test_it_is_halved_once_and_for_lack_of_memory_alone(sample, micro_batch, error, tried, monkeypatch) -> None:
    digest, folder = sample
    short = ShortOfMemory(0, error)
    monkeypatch.setattr(runner_module, "fit", short)
    job = FitJob("trial 3", tiny_recipe(batch=4, epochs=1), tiny_spec(), digest, 1, "fp32")
    with pytest.raises(type(error)):
        FitRunner({digest: folder}, Compute("cpu", "fp32", 1, micro_batch))(job, lambda epoch: True)
    assert short.tried == tried
