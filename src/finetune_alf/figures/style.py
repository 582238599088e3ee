"""The style of all figures: matplotlib settings, colors and markers, and rendering to PNG."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Distinct for colour-blind readers: Okabe and Ito 2008, "Color Universal Design"."""

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
    """A matplotlib figure and its axes, row by row."""

    def __init__(self, figure: Any, axes: list[Any]) -> None:
        self.figure = figure
        self.axes = axes

    def png(self) -> bytes:
        """Render the figure, without date and version, so that equal figures give equal bytes."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()


@contextmanager
def styled_figure(
    width: float, height: float, n_axes: int = 1, *, share_y: bool = False, n_columns: int | None = None
) -> Iterator[StyledFigure]:
    """Yield an empty figure of this size in inches, in the package's style and not the user's rcParams.

    All axes are in one row, unless `n_columns` is given.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        columns = min(n_axes, n_columns or n_axes)
        axes = figure.subplots(-(-n_axes // columns), columns, squeeze=False, sharey=share_y).ravel()
        for unused in axes[n_axes:]:
            unused.set_visible(False)
        yield StyledFigure(figure, list(axes[:n_axes]))


def color(index: int) -> str:
    """Return the color of the index-th series of a figure."""
    return COLORS[index % len(COLORS)]


def marker(index: int) -> str:
    """Return the marker of the index-th series, so that series differ by more than color."""
    return MARKERS[index % len(MARKERS)]
