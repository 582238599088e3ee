"""A picture on the page with its words."""

from dataclasses import dataclass

from finetune_alf.figures.picture import Picture
from finetune_alf.report.blocks import Figure


@dataclass(frozen=True)
class View:
    """A picture of a study: its name, which is that of its Vega view too, its title, and what it shows.

    `action` is what a reader can do with it on a page with scripts.
    """

    name: str
    title: str
    caption: str
    picture: Picture
    action: str = ""

    def figure(self, study: str) -> Figure:
        """Return it for a page that stands still."""
        return Figure(f"{study}-{self.name}.png", self.caption, self.picture)

    def interactive_figure(self, study: str) -> Figure:
        """Return it for a page with scripts."""
        return Figure(f"{study}-{self.name}.png", f"{self.caption} {self.action}".strip(), self.picture)
