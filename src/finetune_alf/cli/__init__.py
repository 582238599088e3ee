"""The command line: thin commands over `running/`, `experiments/` and `params/`; the only place that prints and logs.

Commands import what they need as they run, so that `--help` answers at once.
"""

from finetune_alf.cli.entry import main

__all__ = ["main"]
