"""The cores that this process may use: on a cluster, in a container or under `taskset` fewer than the machine has."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux mounts control groups of version 2; in a container its root is that of the container."""


def usable_cores() -> int:
    """Return how many cores this process may use, at least 1.

    The smaller of the cores that it may run on, which Slurm, `taskset` and `--cpuset-cpus` set, and of `cores_of_time`.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, cores_of_time() or allowed))


def cores_of_time() -> int | None:
    """Return the cores whose time the control group may use, rounded up; None without a limit.

    Kubernetes and `docker run --cpus` set it: cpu.max of Linux's control groups, version 2, in microseconds.
    """
    try:
        quota, period = (CGROUP / "cpu.max").read_text("utf-8").split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # not Linux, another version, or the word max
        return None
