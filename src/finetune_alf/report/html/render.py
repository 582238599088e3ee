"""The outline as one HTML file, with its styles, scripts and pictures, and a policy that lets nothing else in."""

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from finetune_alf import __version__
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.runtime import vega_script
from finetune_alf.figures.theme import page_theme
from finetune_alf.report.blocks import Block, Paragraph
from finetune_alf.report.html.inline import inline, words_of
from finetune_alf.report.html.parts import Outline
from finetune_alf.report.markdown import has_words
from finetune_alf.report.page import lead

if TYPE_CHECKING:
    from jinja2 import Environment

_NAMED = re.compile(r'\bid="([^"]+)"')

_SENTENCE = re.compile(r"(?<=\.) (?=[A-Z])")

LONG = 420
"""The most characters of a paragraph of which all is shown at once."""

STILL = 120_000
"""The most characters of a picture that is in the page a second time, for readers without scripts."""


@dataclass(frozen=True)
class LongText:
    """A long paragraph: its first sentence, and the rest."""

    first: str
    rest: str


def render(outline: Outline) -> str:
    """Return the page."""
    style, script, vega = _text("page.css"), _text("page.js"), vega_script()
    policy = (
        f"default-src 'none'; script-src {_hash(vega)} {_hash(script)}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=outline,
            lead=lead(has_example=not any(part.card and part.card.reads for part in outline.parts)),
            ids=outline.ids,
            policy=policy,
            style=Markup(style),  # noqa: S704 - a file of the package
            script=Markup(script),  # noqa: S704 - a file of the package
            vega=Markup(vega),  # noqa: S704 - from vl-convert
            theme=_json(page_theme()),
            version=__version__,
        )
    )


def _environment() -> "Environment":
    from jinja2 import DictLoader, Environment, StrictUndefined

    names = ("page.html", "card.html", "blocks.html")
    made = Environment(
        loader=DictLoader({name: _text(name) for name in names}), autoescape=True, undefined=StrictUndefined
    )
    made.filters |= {
        "inline": inline,
        "words": words_of,
        "shortened": shortened,
        "kind": lambda block: type(block).__name__,
        "title": lambda table: table.title or f"Table: {', '.join(table.header)}",
        "is_numeric": lambda table, column: not has_words(row[column] for row in table.rows),
        "stem": lambda name: PurePath(name).stem,
        "spec": lambda picture: _json(picture.spec),
        "still": _still,
    }
    return made


def shortened(block: Block) -> Block | LongText:
    """Return a long paragraph cut after its first sentence, and any other block as it is."""
    if isinstance(block, Paragraph) and len(block.text) > LONG and (end := _SENTENCE.search(block.text)):
        return LongText(block.text[: end.start()], block.text[end.end() :])
    return block


def _still(picture: Picture, name: str) -> Markup:
    """Return the picture as it is without scripts; one that is large is described."""
    svg = picture.svg()
    if len(svg) > STILL:
        return Markup("<p>{}</p>").format(picture.text)
    # Vega numbers the names in its drawings through the life of a process
    for place, given in enumerate(dict.fromkeys(_NAMED.findall(svg))):
        svg = re.sub(rf'(\bid="|url\(#|href="#){re.escape(given)}(?=["\)])', rf"\g<1>{name}-{place}", svg)
    return Markup(svg)  # noqa: S704 - Vega escapes


def _json(value: Any) -> Markup:
    """Return JSON that no text in it can end the script element of."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704


def _hash(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return (files("finetune_alf.report.html") / "templates" / name).read_text("utf-8")
