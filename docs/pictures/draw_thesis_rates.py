"""Draw docs/pictures/thesis-rates.png: the rate at each address of the six schedules that the thesis published."""

from pathlib import Path

from finetune_alf.figures.picture import Picture
from finetune_alf.figures.strip import StripCell, schedule_strip
from finetune_alf.recipe import movements
from finetune_alf.schedules.published import PUBLISHED_NAMES, published

N_STEPS = 35 * 63
"""The thesis's 35 epochs on 2,000 texts in batches of 32; it gives no number of texts."""

WIDTH = 900


def thesis_rates() -> Picture:
    """Return the picture."""
    cells = [
        StripCell(name, str(address), movement.rate, movement.word)
        for name in PUBLISHED_NAMES
        for address, movement in movements(published(name).recipe, published(name).rates, N_STEPS).items()
    ]
    strip = schedule_strip(cells)
    return Picture({**strip.spec, "width": WIDTH}, strip.text)


if __name__ == "__main__":
    thesis_rates().save(Path(__file__).with_name("thesis-rates.png"))
