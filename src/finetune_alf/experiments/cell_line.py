"""Cell lines: a fit of an experiment as one line of its JSONL file, as far as all experiments have it alike."""

from finetune_alf.running.cell_runs import FitLine, fields_of

__all__ = ["CellLine", "fields_of"]


class CellLine(FitLine):
    """A cell's line; each experiment adds what its cells differ in."""
