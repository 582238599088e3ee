"""OpenMP's wait policy of torch's threads: active, or passive where other programs want the same cores."""

import os
import time
from pathlib import Path

from finetune_alf.compute.cores import usable_cores

LOADAVG = Path("/proc/loadavg")
"""Linux's load; its fourth field begins with the number of threads that run or wait for a core at this moment."""

PASSIVE = {"OMP_WAIT_POLICY": "passive"}
"""The setting of OpenMP, which torch's threads follow, by which a waiting thread leaves its core to others."""

OWN = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Settings of the user's own, which stay."""

N_READINGS, PAUSE_S = 8, 0.003


def wait_passively_where_busy() -> bool:
    """Set the wait policy to passive where this process and others want more cores than there are; return whether.

    By default a thread that waits for the others of a step computes in a loop, since that is quickest where it has its
    core alone. Where it has not, the loop takes the core from the very thread that it waits for; see
    `benchmarks/wait_policy.py`. Must be called before torch is loaded, and changes no result.
    """
    if usable_cores() == 1 or any(name in os.environ for name in OWN) or not others_want_cores():
        return False
    os.environ.update(PASSIVE)
    return True


def others_want_cores() -> bool:
    """Return whether other threads leave fewer free cores than this process may use, at each of a few moments."""
    others = running_beside_this()
    for _ in range(N_READINGS - 1):
        if not others:
            return False
        time.sleep(PAUSE_S)
        others = min(others, running_beside_this())
    return others + usable_cores() > (os.cpu_count() or 1)


def running_beside_this() -> int:
    """Return how many threads other than this one run or wait for a core; 0 where this is not Linux."""
    try:
        return int(LOADAVG.read_text("utf-8").split()[3].partition("/")[0]) - 1
    except (OSError, ValueError, IndexError):
        return 0
