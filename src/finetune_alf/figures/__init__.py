"""Figures, drawn with Vega-Altair: a plain record in, a `Picture` out.

Each figure takes two steps, as in Optuna: `<figure>_info` computes what is shown, and the figure's own function draws
it. `lines`, `intervals`, `dots`, `bars` and `scatter` are kinds of charts that experiments share. Equal records give
equal pictures. Altair is imported when the first figure is drawn. No file is read or written.
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
