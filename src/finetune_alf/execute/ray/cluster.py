"""The connection to a cluster of Ray: one for each process, to this machine alone or by address."""

import ipaddress
import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Read when Ray is imported: what it says of lost workers is printed to stdout, among a command's own output.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")

import ray
import ray.exceptions

from finetune_alf.compute.cores import usable_cores
from finetune_alf.errors import ParamsError, WorkerError

HEARTBEAT_S = 5.0
HEAD_TIMEOUT_S = 20.0
"""The run ends when Ray's head has not answered for so many seconds. Ray itself would end the process after 60 s."""


@dataclass(frozen=True)
class RayCluster:
    """Which cluster, what each worker asks of it, and how many seconds it waits for that.

    `address` is `host:port` of its head; None starts Ray on this machine.
    """

    address: str | None = None
    n_cpus: int = 1
    n_gpus: float = 0.0
    wait_s: float = 300.0
    without_token: bool = False


def connect(cluster: RayCluster, n_workers: int) -> None:
    """Connect this process once; WorkerError when the cluster cannot be reached or runs other versions.

    Raises ParamsError for a cluster of several machines without a token.
    """
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        with _kept_handlers():
            if cluster.address is None:
                _start_here(cluster, n_workers)
            else:
                check_token(cluster)
                _join(cluster.address)
    _heartbeat.start()


def check_token(cluster: RayCluster) -> None:
    """Raise ParamsError where the address is not this machine's own and Ray's token authentication is off."""
    if cluster.address is None or cluster.without_token or _is_loopback(cluster.address):
        return
    mode = os.environ.get("RAY_AUTH_MODE", "")
    if mode.lower() != "token":
        raise ParamsError(
            f"compute.ray_address: must be a cluster with token authentication, but got {cluster.address} with "
            f"RAY_AUTH_MODE={mode or 'unset'}: whoever reaches that port could run any code. Set RAY_AUTH_MODE=token "
            "and RAY_AUTH_TOKEN_PATH here and on all nodes, or `ray_without_token: true` in a network that you trust."
        )


def _start_here(cluster: RayCluster, n_workers: int) -> None:
    """Start Ray on this machine, with a token of this process's own, so that it writes none to the home folder."""
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
    if not os.environ.get("RAY_AUTH_TOKEN_PATH"):
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    n_cpus = max(usable_cores(), n_workers * cluster.n_cpus)
    try:
        ray.init("local", num_cpus=n_cpus, include_dashboard=False, log_to_driver=False, configure_logging=False)
    except Exception as error:  # Ray raises that itself when its processes take too long
        ray.shutdown()
        raise WorkerError(
            f"cannot start Ray on this machine: {' '.join(str(error).split())} See /tmp/ray/session_latest/logs."
        ) from error


def _join(address: str) -> None:
    try:
        ray.init(address, log_to_driver=False, configure_logging=False)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        raise WorkerError(
            f"cannot join the Ray cluster at {address}: {' '.join(str(error).split())}. "
            f"Start Ray on this machine with `ray start --address={address}`, the versions and the token of the head."
        ) from error


def resources() -> tuple[dict[str, float], dict[str, float]]:
    """Return the CPUs and GPUs that the cluster has, and those that are free, as the head last reported."""
    return _heartbeat.total, _heartbeat.free


def is_head_lost() -> bool:
    """Whether the head has not answered for HEAD_TIMEOUT_S: calls to it would not return."""
    return _heartbeat.since_answer_s > HEAD_TIMEOUT_S


def check_head() -> None:
    """Raise WorkerError when the head is lost."""
    if is_head_lost():
        raise WorkerError(
            f"cannot reach the head of the Ray cluster: it has not answered for {_heartbeat.since_answer_s:.0f} s. "
            "What is finished is kept. Start the cluster again, then run the same command again."
        )


class _Heartbeat:
    """A thread that asks the head what it has: a call that a dead head never answers."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._answered_at = 0.0
        self.total: dict[str, float] = {}
        self.free: dict[str, float] = {}

    @property
    def since_answer_s(self) -> float:
        return time.monotonic() - self._answered_at

    def start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._answered_at = time.monotonic()
            self._thread = threading.Thread(target=self._poll, daemon=True)
            self._thread.start()

    def _poll(self) -> None:
        while ray.is_initialized():
            try:
                self.total = _of_interest(ray.cluster_resources())  # type: ignore[no-untyped-call]
                self.free = _of_interest(ray.available_resources())  # type: ignore[no-untyped-call]
            except Exception:  # it was shut down in the meantime
                logging.getLogger(__name__).debug("No heartbeat.", exc_info=True)
            else:
                self._answered_at = time.monotonic()
            time.sleep(HEARTBEAT_S)


_heartbeat = _Heartbeat()


@contextmanager
def _kept_handlers() -> Iterator[None]:
    """Keep this process's own signal handlers, which `ray.init` replaces."""
    is_main = threading.current_thread() is threading.main_thread()
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)} if is_main else {}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _of_interest(found: dict[str, float]) -> dict[str, float]:
    return {name: found.get(name, 0.0) for name in ("CPU", "GPU")}
