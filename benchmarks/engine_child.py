"""A process of the benchmark's own: does one task, so that its memory and its threads are nobody else's.

    python benchmarks/engine_child.py prepare|machine|peer ASKED.json DONE.json

Called by `engine.py`.
"""

import json
import sys
from pathlib import Path

from engine_records import Asked, Done, Machine, Ready
from engine_work import WORKS

from finetune_alf.files import write_text


def main(task: str, asked: Path, done: Path) -> int:
    write_text(done, do(task, asked.read_text()).model_dump_json(indent=1))
    return 0


def do(task: str, asked: str) -> Ready | Machine | Done:
    """Do a task, given as JSON."""
    if task == "prepare":
        from engine_setup import Preparation, prepare

        return prepare(Preparation.model_validate_json(asked))
    if task == "machine":
        from engine_machine import machine

        return machine(**json.loads(asked))
    return run_peer(Asked.model_validate_json(asked))


def run_peer(asked: Asked) -> Done:
    """Run one peer over one work; what it needs is imported here, for the sake of its memory."""
    import torch

    torch.set_num_threads(asked.n_threads)
    work = next(work for work in WORKS if work.name == asked.work)
    if asked.peer in ("default", "tuned"):
        from engine_trainer import run_trainer

        return run_trainer(asked, work)
    if asked.peer == "plain":
        from engine_plain import run_plain

        return run_plain(asked, work)
    from engine_ours import run_ours

    return run_ours(asked, work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
