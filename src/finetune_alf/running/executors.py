"""The executor that `compute` describes: one table for all stages."""

from collections.abc import Callable

from finetune_alf.compute import Compute, ComputeSpec
from finetune_alf.compute.cores import usable_cores
from finetune_alf.compute.spec import check_installed
from finetune_alf.execute.fused import FusedExecutor
from finetune_alf.execute.jobs import Executor
from finetune_alf.execute.pool import PoolExecutor
from finetune_alf.execute.serial import SerialExecutor


def executor_of(spec: ComputeSpec, compute: Compute) -> Executor:
    """Return an executor; ParamsError for one that needs what is not installed."""
    return _MADE[spec.runs_in](spec, compute)


def _serial(spec: ComputeSpec, compute: Compute) -> Executor:
    return FusedExecutor(spec.n_fused, spec.job_timeout_s) if spec.n_fused > 1 else SerialExecutor(spec.job_timeout_s)


def _pool(spec: ComputeSpec, compute: Compute) -> Executor:
    devices = compute.devices or (compute.device,)
    n_devices = len(devices) if all(device.startswith("cuda") for device in devices) else None
    return PoolExecutor(spec.n_workers, spec.job_timeout_s, n_devices)


def _ray(spec: ComputeSpec, compute: Compute) -> Executor:
    check_installed(spec)
    from finetune_alf.execute.ray import RayCluster, RayExecutor

    cluster = RayCluster(
        address=spec.ray_address,
        n_cpus=compute.n_threads or usable_cores(),
        n_gpus=spec.ray_gpus,
        wait_s=spec.ray_wait_s,
        without_token=spec.ray_without_token,
    )
    return RayExecutor(spec.n_workers, spec.job_timeout_s, cluster)


_MADE: dict[str, Callable[[ComputeSpec, Compute], Executor]] = {"serial": _serial, "pool": _pool, "ray": _ray}
