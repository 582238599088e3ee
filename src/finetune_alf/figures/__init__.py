"""Figures, drawn with matplotlib: a plain record in, the bytes of a PNG out.

Each figure takes two steps, as in Optuna: `<figure>_info` computes what is shown, and the figure's own function draws
it. Equal records give equal bytes. Matplotlib is imported when the first figure is drawn. No file is read or written.
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
