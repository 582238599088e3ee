"""What `auto` stands for on this machine is decided once, before anything is kept under it."""

import pytest
import torch

from finetune_alf.compute import Compute, ComputeSpec, resolve
from finetune_alf.compute.resolved import resolve_device
from finetune_alf.errors import ParamsError

CPU_HAS_BF16 = torch.cpu._is_avx512_bf16_supported()


@pytest.mark.parametrize(
    ("given", "expected"), [("fp32", "fp32"), ("bf16", "bf16"), ("auto", "bf16" if CPU_HAS_BF16 else "fp32")]
)
def test_a_precision_is_never_auto_once_it_is_resolved(given, expected):
    assert resolve(ComputeSpec(device="cpu", precision=given, n_threads=1)) == Compute("cpu", expected, n_threads=1)


def test_a_device_that_the_machine_lacks_is_refused():
    with pytest.raises(ParamsError, match="must be a device of this machine, but got cuda:99"):
        resolve(ComputeSpec(device="cuda:99"))


def test_what_is_no_device_is_refused_with_the_name_of_its_option():
    with pytest.raises(ParamsError, match="--device: must be a device of this machine, but got gpu"):
        resolve_device("gpu", "--device")
