"""The sheet every figure is drawn on: its style, its colours, and the way to PNG bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by colour-blind readers: Okabe and Ito 2008, "Color Universal Design"."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#6b6b6b"

_STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "figure.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 130,
}


class StyledFigure:
    """A figure in the making, and its panels from left to right, row by row."""

    def __init__(self, figure: Any, axes: list[Any]) -> None:
        self.figure = figure
        self.axes = axes

    def png(self) -> bytes:
        """Return the picture without date or version, so that the same record gives the same bytes."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()


@contextmanager
def styled_figure(
    width: float, height: float, n_panels: int = 1, *, share_y: bool = False, n_columns: int | None = None
) -> Iterator[StyledFigure]:
    """Yield an empty sheet of this size in inches, drawn in the package's style whatever the user's own.

    Panels stand in one row unless `n_columns` says how many fit side by side.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        columns = min(n_panels, n_columns or n_panels)
        axes = figure.subplots(-(-n_panels // columns), columns, squeeze=False, sharey=share_y).ravel()
        for unused in axes[n_panels:]:
            unused.set_visible(False)
        yield StyledFigure(figure, list(axes[:n_panels]))


def color(index: int) -> str:
    """Return the colour of the index-th thing in a figure."""
    return COLORS[index % len(COLORS)]


def marker(index: int) -> str:
    """Return the marker of the index-th thing, so that no figure rests on colour alone."""
    return MARKERS[index % len(MARKERS)]
