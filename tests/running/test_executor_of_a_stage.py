"""The executor of a stage follows the section `compute`, its time limit included."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from finetune_alf.compute import ComputeSpec
from finetune_alf.compute.spec import check_installed
from finetune_alf.errors import ParamsError
from finetune_alf.execute import FusedExecutor, PoolExecutor, SerialExecutor
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context


@pytest.mark.parametrize(
    ("compute", "executor"),
    [
        (ComputeSpec(job_timeout_s=60, executor="serial"), SerialExecutor),
        (ComputeSpec(job_timeout_s=60, executor="pool"), PoolExecutor),
        (ComputeSpec(job_timeout_s=60), SerialExecutor),
        (ComputeSpec(job_timeout_s=60, n_workers=2), PoolExecutor),
        (ComputeSpec(job_timeout_s=60, n_fused=2), FusedExecutor),
    ],
)
def test_every_executor_has_the_time_limit(compute: ComputeSpec, executor: type[Any]) -> None:
    made = Context(SimpleNamespace(compute=compute), Paths(Path())).executor()  # type: ignore[arg-type]
    assert type(made) is executor
    assert made.job_timeout_s == 60
    assert made.alone().job_timeout_s == 60


def test_ray_is_asked_for_the_threads_and_gpus_of_a_worker_and_joins_by_address() -> None:
    ray = pytest.importorskip("finetune_alf.execute.ray")
    compute = ComputeSpec(
        executor="ray", n_workers=3, n_threads=4, ray_address="head:6379", ray_gpus=0.5, precision="bf16", ray_wait_s=9
    )
    made = Context(SimpleNamespace(compute=compute), Paths(Path())).executor()  # type: ignore[arg-type]
    assert type(made) is ray.RayExecutor
    assert (made.n_workers, made.n_fused, made.alone().n_workers) == (3, 1, 1)
    assert made.cluster == ray.RayCluster("head:6379", n_cpus=4, n_gpus=0.5, wait_s=9)


def test_ray_that_is_not_installed_is_refused_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ParamsError, match=r'pip install "finetune-alf\[ray\]"'):
        check_installed(ComputeSpec(executor="ray"))
    check_installed(ComputeSpec(executor="pool"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"executor": "serial", "n_workers": 2}, "n_workers must be 1 with executor: serial, but got 2"),
        ({"executor": "pool", "n_fused": 2}, "n_fused must be 1 with executor: pool, but got 2"),
        ({"executor": "ray", "n_fused": 2}, "n_fused must be 1 with executor: ray, but got 2"),
        ({"device": "cuda:0", "devices": ("cuda:0", "cuda:1")}, "devices must be auto with a device"),
        ({"executor": "ray", "devices": ("cuda:0",)}, "devices must be auto with a device, and with executor: ray"),
        ({"ray_address": "ray://head:10001"}, "ray_address"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ComputeSpec(**changes)


def test_the_time_limit_is_a_day_unless_another_or_none_is_set() -> None:
    assert ComputeSpec().job_timeout_s == 24 * 60 * 60
    assert ComputeSpec(job_timeout_s=None).job_timeout_s is None
    with pytest.raises(ValidationError):
        ComputeSpec(job_timeout_s=0)
