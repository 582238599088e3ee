"""Matplotlib's door: a plain record in, a PNG out.

Each figure is made in two steps: `<figure>_info` sorts a record into what will be seen, and the figure's own
function draws that and returns the PNG's bytes, the same bytes for the same record. Matplotlib is imported when the
first figure is drawn. Nothing here reads or writes files.
"""

from finetune_alf.figures.curves import learning_curves
from finetune_alf.figures.history import optimisation_history
from finetune_alf.figures.importance import importance_bars
from finetune_alf.figures.rates import rates_by_layer

__all__ = [
    "importance_bars",
    "learning_curves",
    "optimisation_history",
    "rates_by_layer",
]
