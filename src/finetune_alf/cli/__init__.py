"""The command line: thin commands over `stages/` and `params/`; the only place that prints and sets up logging.

Commands import what they need as they run, so that `--help` answers at once.
"""

from finetune_alf.cli.entry import main

__all__ = ["main"]
