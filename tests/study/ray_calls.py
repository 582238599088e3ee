"""The study of ray_studies.py, and its functions called in processes of their own: Ray reads its settings once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from fake_studies import study_spec

N_TRIALS = 60
SPEC = study_spec(n_trials=N_TRIALS, sampler={"kind": "random"})


def happened(function: str, root: Path, *arguments: object) -> dict[str, Any]:
    """Run a function of ray_studies.py, and return what it printed; Ray prints lines of its own beside it."""
    command = [sys.executable, "-c", f"import ray_studies; ray_studies.{function}()", str(root), *map(str, arguments)]
    completed = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    if completed.returncode:
        raise RuntimeError(f"ray_studies.{function}: {completed.stderr[-3000:]}")
    found: dict[str, Any] = json.loads([line for line in completed.stdout.splitlines() if line.startswith("{")][-1])
    return found
