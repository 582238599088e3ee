"""The wait policy is passive where others want the same cores, and nowhere else."""

import os
import subprocess
import sys

import pytest

from finetune_alf.compute import wait_policy
from finetune_alf.compute.wait_policy import OWN, running_beside_this, wait_passively_where_busy
from small_project import PARAMS


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of eight cores, of which this process may use four; call it with how many threads run."""
    monkeypatch.setattr(wait_policy, "LOADAVG", tmp_path / "loadavg")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(wait_policy, "usable_cores", lambda: 4)
    for name in OWN:
        monkeypatch.delenv(name, raising=False)
    return lambda n: (tmp_path / "loadavg").write_text(f"9.00 9.00 9.00 {n}/345 8167\n")


@pytest.mark.parametrize(("n_running", "is_passive"), [(1, False), (5, False), (6, True), (40, True)])
def test_threads_wait_passively_where_others_leave_too_few_cores(machine, n_running, is_passive):
    machine(n_running)
    assert wait_passively_where_busy() is is_passive
    assert os.environ.get("OMP_WAIT_POLICY") == ("passive" if is_passive else None)
    os.environ.pop("OMP_WAIT_POLICY", None)


def test_a_moment_is_no_load(machine, monkeypatch):
    counts = iter([9, 9, 2, 9, 9, 9, 9, 9])
    machine(1)
    monkeypatch.setattr(wait_policy, "running_beside_this", lambda: next(counts))
    assert not wait_passively_where_busy()


@pytest.mark.parametrize("name", OWN)
def test_a_setting_of_the_users_own_stays(machine, monkeypatch, name):
    machine(40)
    monkeypatch.setenv(name, "7")
    assert not wait_passively_where_busy()
    assert os.environ[name] == "7"


def test_one_core_has_nobody_to_wait_for(machine, monkeypatch):
    machine(40)
    monkeypatch.setattr(wait_policy, "usable_cores", lambda: 1)
    assert not wait_passively_where_busy()


def test_nothing_changes_where_the_machine_does_not_say(machine, tmp_path):
    (tmp_path / "loadavg").write_text("9.00 9.00\n")
    assert not wait_passively_where_busy()


def test_a_process_that_computes_is_counted():
    before = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    with subprocess.Popen(before, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            counts = [running_beside_this() for _ in range(50)]
        finally:
            process.kill()
    assert min(counts) >= 1


def test_a_stage_decides_before_torch_is_loaded(tmp_path):
    """The setting counts only for a torch that is loaded afterwards."""
    script = """
import sys
from finetune_alf.cli.entry import main
from finetune_alf.compute import wait_policy
wait_policy.wait_passively_where_busy = lambda: print("torch" in sys.modules)
main()
"""
    (tmp_path / "params.yaml").write_text(PARAMS)
    command = [sys.executable, "-c", script, "prepare", "films", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.startswith("False"), done.stderr
