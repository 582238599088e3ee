"""F20: `dvc repro` is killed with SIGKILL at random moments; its stage ends with it, and the next one is right."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from chaos_rows import Row, Run, none_of

from kills import alive_after
from resumed import n_different, trials_of

ROOT = Path(__file__).resolve().parent.parent
MAX_KILLS = 10
GOES_S = 10.0
"""How long a stage may take to end after its `dvc repro`, in seconds: it finishes what it writes."""
TARGET = "study@tiny"


def killed_repro(run: Run) -> list[Row]:
    """F20: prepare, encoder and study of the tiny random encoder by the project's own dvc.yaml."""
    n_kills = min(run.n_kills, MAX_KILLS)
    whole, killed = run.root / "whole", run.root / "killed"
    for root in (whole, killed):
        _new_project(root)
    started = time.monotonic()
    if _repro(whole).wait():
        raise SystemExit(f"dvc repro failed in {whole}: {(whole / 'output').read_text()}")
    longest = time.monotonic() - started
    run.advance()
    n_killed = orphans = failed = 0
    while n_killed < n_kills:
        repro = _repro(killed)
        try:
            code = repro.wait(run.rng.uniform(0.1, longest))
            failed += code != 0
            _start_over(killed)
        except subprocess.TimeoutExpired:
            repro.send_signal(signal.SIGKILL)
            repro.wait()
            n_killed += 1
            orphans += len(alive_after(GOES_S, _processes_in(killed)))
            run.advance()
    failed += _repro(killed).wait() != 0
    status = subprocess.run([*_DVC, "status", TARGET], cwd=killed, capture_output=True, text=True, check=False).stdout
    expected, found = trials_of(whole, "tiny"), trials_of(killed, "tiny")
    done = f"`dvc repro {TARGET}` killed {n_killed} times, DVC alone, then run to its end"
    return [
        none_of(done, orphans, n_killed, f"stages alive {GOES_S:g} s after their `dvc repro`"),
        none_of(done, failed, n_killed + 1, "later `dvc repro` that failed by themselves"),
        none_of(done, n_different(expected, found), len(expected), "trials other than without kills"),
        none_of(done, int("up to date" not in status), 1, "states that `dvc status` calls changed"),
    ]


_DVC = [sys.executable, "-m", "dvc"]


def _new_project(root: Path) -> None:
    """Make a project of the tiny encoder with the stages of this repository, and no version control."""
    from ruamel.yaml import YAML

    from small_project import PARAMS

    yaml = YAML(typ="safe")
    root.mkdir()
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, root / name)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\nno_scm = true\nanalytics = false\ncheck_update = false\n")
    for folder in ("data/encoders", "src/finetune_alf/data"):
        (root / folder).mkdir(parents=True)
    for folder in ROOT.glob("results/*/.gitignore"):
        (root / "results" / folder.parent.name).mkdir(parents=True)
    defaults, ours = yaml.load(ROOT / "src/finetune_alf/presets/default.yaml"), yaml.load(PARAMS)
    transfer = {**defaults["transfer"], **ours["transfer"]}  # with each key that dvc.yaml names
    with (root / "params.yaml").open("w") as file:
        yaml.dump({**defaults, **ours, "transfer": transfer}, file)


def _repro(root: Path) -> subprocess.Popen[bytes]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (root / "output").open("ab") as output:
        return subprocess.Popen(
            [*_DVC, "repro", TARGET], cwd=root, env={**os.environ, "PATH": path}, stdout=output, stderr=output
        )


def _start_over(root: Path) -> None:
    """Take away what keeps `dvc repro` from running the study again, its own cache of runs included."""
    for folder in ("results/study", "studies", ".dvc/cache/runs"):
        shutil.rmtree(root / folder, ignore_errors=True)
    (root / "results/study").mkdir()


def _processes_in(root: Path) -> list[int]:
    """Return the processes whose current folder is this one."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").resolve() == root.resolve():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
