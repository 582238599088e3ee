"""What `dvc status` says of the stages, for a project that DVC runs."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator

from finetune_alf.doctor.finding import Finding
from finetune_alf.paths import Paths

TIMEOUT_S = 300.0
"""DVC hashes files that it does not know yet, which takes minutes where they are large."""


def stale_stages(paths: Paths) -> Iterator[Finding]:
    """Yield the stages whose dependencies, parameters or outputs changed since they ran."""
    if not (paths.root / "dvc.yaml").exists() or not (paths.root / ".dvc").is_dir():
        return
    dvc = shutil.which("dvc")
    if dvc is None:
        step = f"Install DVC, or use `{paths.command('run')}`."
        yield Finding("stages", "dvc", "is not installed", next_step=step)
        return
    changed = _status(dvc, paths)
    if isinstance(changed, str):
        yield Finding("stages", "dvc status", "failed", changed)
        return
    for stage, changes in changed.items():
        yield Finding("stages", stage, f"stale: {_shown(changes)}", next_step=f"Run `dvc repro {stage}`.")
    if not changed:
        yield Finding("stages", "dvc status", "up to date")


def _status(dvc: str, paths: Paths) -> "dict[str, list[object]] | str":
    """Return the changed stages of `dvc status`, or why it failed."""
    quiet = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [dvc, "status", "--json"], cwd=paths.root, env=quiet, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"`dvc status` did not end within {TIMEOUT_S:.0f} s. Try it by hand."
    if done.returncode:
        return " ".join(done.stderr.split())[:300] or f"`dvc status` ended with {done.returncode}."
    status: dict[str, list[object]] = json.loads(done.stdout or "{}")
    return status


def _shown(changes: list[object]) -> str:
    """Return what changed, such as `changed deps (data/samples/films), changed outs (results/x.json)`."""
    parts = []
    for change in changes:
        if isinstance(change, dict):
            parts += [f"{kind} ({', '.join(map(str, what))})" for kind, what in change.items()]
        else:
            parts.append(str(change))
    return ", ".join(parts)
