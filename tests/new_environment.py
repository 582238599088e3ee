"""A new virtual environment with the wheel of this package, as a user's pip install makes it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def new_environment(folder: Path, extra: str = "", others: tuple[str, ...] = ()) -> Path:
    """Return the Python of a new environment with the wheel, an extra of it such as `[pull]`, and other distributions.

    Skips the test where there is no package index.
    """
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    [wheel] = folder.glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", f"{wheel}{extra}", *others], capture_output=True)
    if done.returncode:
        pytest.skip(f"needs the package index: {done.stderr.decode()[-200:]}")
    return python
