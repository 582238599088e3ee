"""Matplotlib's door: a plain record in, a PNG out.

Each figure is made in two steps: `<figure>_info` sorts a record into what will be seen, and the figure's own
function draws that and returns the PNG's bytes, the same bytes for the same record. Matplotlib is imported when the
first figure is drawn. Nothing here reads or writes files.
"""

from finetune_alf.figures.adapt import adaptation_plot
from finetune_alf.figures.curves import learning_curves
from finetune_alf.figures.freeze import relative_by_level, score_against_seconds, scores_by_level
from finetune_alf.figures.history import optimisation_history
from finetune_alf.figures.importance import importance_bars
from finetune_alf.figures.multitask import scores_of_cells
from finetune_alf.figures.rates import rates_by_layer
from finetune_alf.figures.schemes import schemes_plot
from finetune_alf.figures.transfer import transfer_plot

__all__ = [
    "adaptation_plot",
    "importance_bars",
    "learning_curves",
    "optimisation_history",
    "rates_by_layer",
    "relative_by_level",
    "schemes_plot",
    "score_against_seconds",
    "scores_by_level",
    "scores_of_cells",
    "transfer_plot",
]
