"""Studies on a Ray cluster that loses machines, each in a process of its own: python -c "import ray_studies; …" ROOT.

Ray reads its settings when it is imported. It prints what happened as JSON.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ |= {
    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "5a" * 32,
    "RAY_USAGE_STATS_ENABLED": "0",
}

from fake_studies import FakeFit, study
from ray.cluster_utils import Cluster
from ray_calls import SPEC

from finetune_alf.errors import WorkerError
from finetune_alf.execute.ray import RayCluster, RayExecutor


def cluster_of_two() -> Any:
    """A head without CPUs and a node with two, at an address that needs a token."""
    cluster = Cluster()
    add_node(cluster, num_cpus=0, include_dashboard=False)
    add_node(cluster, num_cpus=2)
    return cluster


def add_node(cluster: Any, **arguments: Any) -> None:
    """Add a node; on a busy machine Ray's half minute for that may be too short."""
    for n_left in reversed(range(4)):
        try:
            cluster.add_node(object_store_memory=100 * 2**20, **arguments)
            return
        except Exception:
            if not n_left:
                raise


def run(root: Path, address: str, on_trial: Any, epoch_s: float = 0.2) -> None:
    executor = RayExecutor(2, cluster=RayCluster(address))
    study(root, SPEC, FakeFit(epoch_s), executor, on_trial=on_trial)


def lose_machines() -> None:
    """Run a study, and lose a machine without warning after every fifth trial, as many in all as the argument says."""
    cluster, numbers, n_lost = cluster_of_two(), [], 0
    n_to_lose = int(sys.argv[2])

    def on_trial(record: Any) -> None:
        nonlocal n_lost
        numbers.append(record.number)
        if len(numbers) % 5 == 3 and n_lost < n_to_lose:
            (node,) = cluster.worker_nodes
            cluster.remove_node(node, allow_graceful=False)
            add_node(cluster, num_cpus=2)
            n_lost += 1

    run(Path(sys.argv[1]), cluster.address, on_trial)
    print(json.dumps({"n_lost": n_lost, "committed": numbers}))


def lose_head() -> None:
    """Run a study, lose the cluster's head after the fifth trial, and say how the run ended."""
    cluster, numbers = cluster_of_two(), []
    address, lost_at = cluster.address, 0.0

    def on_trial(record: Any) -> None:
        nonlocal lost_at
        numbers.append(record.number)
        if len(numbers) == 5:
            cluster.head_node.kill_gcs_server(check_alive=False)
            lost_at = time.monotonic()

    try:
        run(Path(sys.argv[1]), address, on_trial, epoch_s=1.0)  # longer than it takes to notice
        message = "the study ended"
    except WorkerError as error:
        message = str(error)
    print(json.dumps({"message": message, "seconds": time.monotonic() - lost_at, "committed": numbers}), flush=True)
    os._exit(0)  # Ray waits for a head that is gone


def run_whole() -> None:
    """Run a study to its end on a new cluster."""
    numbers: list[int] = []
    run(Path(sys.argv[1]), cluster_of_two().address, lambda record: numbers.append(record.number))
    print(json.dumps({"committed": numbers}))
