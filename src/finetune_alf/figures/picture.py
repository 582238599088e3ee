"""A chart that is defined once and shown everywhere: on a page, as a file, in MLflow and in a notebook."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_alf.errors import InputError
from finetune_alf.figures.png import compressed
from finetune_alf.figures.theme import theme
from finetune_alf.files import write_bytes

if TYPE_CHECKING:
    import altair

MIME = "application/vnd.vegalite.v6+json"
PNG_SCALE = 2
"""Pixels of a PNG per unit of the chart, so that it is sharp on dense screens."""


@cache
def _converter() -> Any:
    """Return vl-convert, which knows the font of the pictures."""
    import vl_convert

    vl_convert.register_font_directory(str(files("finetune_alf.figures") / "fonts"))
    return vl_convert


@dataclass(frozen=True)
class Picture:
    """A chart: its Vega-Lite `spec`, data included and without a theme, and in `text` what it shows, in words."""

    spec: Mapping[str, Any]
    text: str

    @classmethod
    def of(
        cls,
        chart: "altair.TopLevelMixin",
        text: str,
        datasets: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        widest: int | None = None,
    ) -> "Picture":
        """Return the picture of an Altair chart; `datasets` has the rows of its named data.

        A page draws it as wide as it has room, or `widest` pixels at most.

        Altair checks and copies rows that are in the chart itself, which takes seconds for thousands of them.

        Give views and parameters names of their own: Altair numbers the others through the life of a process, so that
        equal records would not give equal pictures.
        """
        spec = chart.to_dict(validate=False)  # against the schema it takes half a second a chart
        spec.pop("config", None)
        if datasets is not None:
            spec |= {"datasets": {**spec.get("datasets", {}), **datasets}}
        if widest is not None:
            spec |= {"usermeta": {"widest": widest}}
        return cls(spec, text)

    def themed(self, *, is_dark: bool = False) -> dict[str, Any]:
        """Return the spec with the configuration of a light or a dark page."""
        return {**self.spec, "config": theme(is_dark=is_dark)}

    def png(self) -> bytes:
        """Render it for a light page; equal pictures give equal bytes, also on other machines."""
        return compressed(bytes(_converter().svg_to_png(self._light_svg, scale=PNG_SCALE)))

    def svg(self, *, is_dark: bool = False) -> str:
        """Render it as SVG."""
        return self._drawn(is_dark=True) if is_dark else self._light_svg

    @cached_property
    def _light_svg(self) -> str:
        return self._drawn(is_dark=False)

    def _drawn(self, *, is_dark: bool) -> str:
        return str(_converter().vegalite_to_svg(self.themed(is_dark=is_dark)))

    def save(self, path: str | Path) -> None:
        """Write it to a file: .png, .svg, or .json with the spec."""
        path = Path(path)
        forms: Mapping[str, Callable[[], bytes]] = {
            ".png": self.png,
            ".svg": lambda: self.svg().encode(),
            ".json": lambda: json.dumps(self.themed(), indent=1).encode(),
        }
        if path.suffix not in forms:
            raise InputError(f"{path}: must end in .png, .svg or .json, but got {path.suffix or 'no ending'!r}.")
        write_bytes(path, forms[path.suffix]())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {MIME: self.themed(), "image/png": self.png(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"Picture({self.text!r})"
