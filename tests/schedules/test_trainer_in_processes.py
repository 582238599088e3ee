"""Gradual unfreezing under Trainer with two processes, as with two GPUs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.parametrize("memory", ["plain", "checkpointing"])
def test_both_processes_open_all_addresses_and_end_with_the_same_weights(tmp_path: Path, memory: str) -> None:
    script = str(Path(__file__).with_name("gradual_in_processes.py"))
    words = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, str(tmp_path), memory]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, timeout=240, check=False)
    found = dict(re.findall(r"rank (\d): (\d addresses, [\d.]+)", done.stdout))
    assert set(found) == {"0", "1"}, done.stderr[-2000:]
    assert found["0"] == found["1"]
    assert found["0"].startswith("5 addresses, ")
