"""Draw docs/pictures/thesis-rates.png: the rate at each address of the six schedules that the thesis published."""

import math
from pathlib import Path
from typing import Any

from finetune_alf.figures.style import styled_figure

from finetune_alf.rates import Movement, addresses
from finetune_alf.recipe import movements
from finetune_alf.report.numbers import rate as written
from finetune_alf.schedules.published import PUBLISHED_NAMES, published

COLUMNS = addresses(12)
FROZEN, FROZEN_INK = "#d9d9d9", "#555555"
N_STEPS = 35 * 63
"""The thesis's 35 epochs on 2,000 texts in batches of 32; it gives no number of texts."""


def main() -> None:
    """Write the picture beside this file."""
    with styled_figure(10.4, 3.1) as drawing:
        panel = drawing.axes[0]
        for row, name in enumerate(PUBLISHED_NAMES):
            schedule = published(name)
            for address, movement in movements(schedule.recipe, schedule.rates, N_STEPS).items():
                _cell(panel, COLUMNS.index(address), row, movement)
        panel.set_xlim(-0.5, len(COLUMNS) - 0.5)
        panel.set_ylim(len(PUBLISHED_NAMES) - 0.5, -0.5)
        panel.set_xticks(range(len(COLUMNS)), COLUMNS, rotation=30, ha="right", rotation_mode="anchor")
        panel.set_yticks(range(len(PUBLISHED_NAMES)), PUBLISHED_NAMES)
        panel.grid(visible=False)
        panel.tick_params(length=0)
        for side in ("left", "bottom"):
            panel.spines[side].set_visible(False)
        panel.set_xlabel("address, from the input up")
        Path(__file__).with_name("thesis-rates.png").write_bytes(drawing.png())


def _cell(panel: Any, column: int, row: int, movement: Movement) -> None:
    import matplotlib as mpl

    rate = movement.rate
    depth = (math.log10(rate) + 10.5) / 6 if rate else 0.0  # 2e-10 is pale, 2e-5 is dark
    face = mpl.colormaps["Blues"](depth) if rate else FROZEN
    ink = "white" if depth > 0.6 else "black"
    hatch = {"hatch": "////", "edgecolor": FROZEN} if movement.word == "barely moves" else {}
    look = {"facecolor": face, "edgecolor": face, "linewidth": 0, **hatch}
    panel.add_patch(mpl.patches.Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, **look))
    style = {"ha": "center", "va": "center", "fontsize": 8, "color": ink if rate else FROZEN_INK}
    panel.text(column, row, written(rate) if rate else "frozen", **style)


if __name__ == "__main__":
    main()
