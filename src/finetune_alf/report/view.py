"""A picture on the page with its words."""

from dataclasses import dataclass

from finetune_alf.figures.picture import Picture


@dataclass(frozen=True)
class View:
    """A picture on the page: its name, which is that of its Vega view too, its title, and what it shows."""

    name: str
    title: str
    caption: str
    picture: Picture
