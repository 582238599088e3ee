"""Workers are dealt out over the GPUs of a machine; the machine of these tests has planted ones."""

import pytest
import torch

from finetune_alf.compute import Compute, ComputeSpec, resolve
from finetune_alf.compute.environment import environment_of
from finetune_alf.errors import ParamsError


@pytest.fixture
def three_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)


ALL = ("cuda:0", "cuda:1", "cuda:2")


@pytest.mark.parametrize(
    ("spec", "own", "of_workers"),
    [
        (ComputeSpec(), "cuda:0", ()),
        (ComputeSpec(n_workers=2), "cuda:0", ALL),
        (ComputeSpec(executor="pool"), "cuda:0", ALL),
        (ComputeSpec(n_workers=2, device="cuda:1"), "cuda:1", ()),
        (ComputeSpec(n_workers=2, device="cpu"), "cpu", ()),
        (ComputeSpec(n_workers=4, devices=("cuda:2", "cuda:1")), "cuda:2", ("cuda:2", "cuda:1")),
        (ComputeSpec(devices=("cuda:2", "cuda:1")), "cuda:2", ()),
        (ComputeSpec(executor="ray", n_workers=2, ray_gpus=0.5), "cuda:0", ("cuda:0",)),
        (ComputeSpec(executor="ray", n_workers=2), "cpu", ("cpu",)),
    ],
)
def test_a_pool_has_all_gpus_unless_some_are_named(three_gpus, spec, own, of_workers):
    compute = resolve(spec)
    assert (compute.device, compute.devices) == (own, of_workers)


def test_a_gpu_that_the_machine_lacks_is_refused_by_the_name_of_the_field(three_gpus):
    with pytest.raises(ParamsError, match=r"compute\.devices: must be a device of this machine, but got cuda:3"):
        resolve(ComputeSpec(n_workers=2, devices=("cuda:0", "cuda:3")))


def test_workers_take_the_devices_in_turn():
    compute = Compute("cuda:2", "bf16", n_threads=2, micro_batch=8, devices=("cuda:2", "cuda:1"))
    assert [compute.of_worker(number).device for number in range(5)] == [
        "cuda:2",
        "cuda:1",
        "cuda:2",
        "cuda:1",
        "cuda:2",
    ]
    assert compute.of_worker(1) == Compute("cuda:1", "bf16", n_threads=2, micro_batch=8)
    alone = Compute("cpu", "fp32")
    assert alone.of_worker(3) == alone


def test_the_environment_names_all_devices_of_the_workers():
    assert environment_of(Compute("cuda:0", "bf16", 1, devices=("cuda:0", "cuda:1")), None).device == "cuda:0, cuda:1"
    assert environment_of(Compute("cpu", "bf16", 1, devices=("cuda:0",)), None).device == "cuda:0"


def test_where_only_other_machines_have_gpus_the_precision_must_be_named():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ParamsError, match=r"compute\.precision: must be fp32 or bf16"):
        resolve(ComputeSpec(executor="ray", ray_gpus=1))
    assert resolve(ComputeSpec(executor="ray", ray_gpus=1, precision="bf16")).devices == ("cuda:0",)
