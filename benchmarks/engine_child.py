"""A child process of the benchmark: runs one task, so that memory and threads are measured for it alone.

    python benchmarks/engine_child.py prepare|machine|peer TASK.json RESULT.json

Called by `engine.py`.
"""

import json
import sys
from pathlib import Path

from engine_records import Machine, PeerResult, PeerTask, Prepared
from engine_work import WORKS

from finetune_alf.files import write_text


def main(task: str, task_file: Path, result_file: Path) -> int:
    write_text(result_file, do(task, task_file.read_text()).model_dump_json(indent=1))
    return 0


def do(task: str, task_json: str) -> Prepared | Machine | PeerResult:
    """Run a task, given as JSON."""
    if task == "prepare":
        from engine_setup import Preparation, prepare

        return prepare(Preparation.model_validate_json(task_json))
    if task == "machine":
        from engine_machine import machine

        return machine(**json.loads(task_json))
    return run_peer(PeerTask.model_validate_json(task_json))


def run_peer(task: PeerTask) -> PeerResult:
    """Run one peer on one work; imports are here so that a peer only loads what it needs."""
    import torch

    torch.set_num_threads(task.n_threads)
    work = next(work for work in WORKS if work.name == task.work)
    if task.peer in ("default", "tuned"):
        from engine_trainer import run_trainer

        return run_trainer(task, work)
    if task.peer == "plain":
        from engine_plain import run_plain

        return run_plain(task, work)
    from engine_ours import run_ours

    return run_ours(task, work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
