"""The comparison of wait policies: every process counts its steps, alone and beside another."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks/wait_policy.py"


@pytest.mark.long  # on a busy machine a fit under the active policy takes a minute
def test_each_policy_has_the_steps_of_one_process_and_of_two():
    command = [sys.executable, str(BENCHMARK), "--encoder=tiny", "--rounds=1", "--seconds=0.2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()[2:]]
    assert [row[:2] for row in rows] == [[n, policy] for n in "12" for policy in ("active", "passive")]
    assert [len(row[2].split(", ")) for row in rows] == [1, 1, 2, 2]
    assert all(float(each) > 0 for row in rows for each in (*row[2].split(", "), row[3]))
    assert [row[3] for row in rows if row[1] == "active"] == ["1.00", "1.00"]
