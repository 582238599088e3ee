"""A page in a tab of a real browser, from disk."""

from pathlib import Path
from typing import Any

SIZES = {390: 844, 1400: 900}
"""Width and height of a phone and of a screen."""

EVERYWHERE = [(width, scheme) for width in SIZES for scheme in ("light", "dark")]

PATIENCE_MS = 180_000
"""How long a page may take to load and to be drawn where the machine is busy with other things."""


class Opened:
    """The page in a tab, with all that it logged and asked for."""

    def __init__(self, browser: Any, file: Path, width: int, scheme: str) -> None:
        self.tab = browser.new_page(viewport={"width": width, "height": SIZES[width]}, color_scheme=scheme)
        self.messages: list[str] = []
        self.tab.on("console", lambda message: self.messages.append(message.text))
        self.tab.on("pageerror", lambda error: self.messages.append(str(error)))
        self.tab.on("request", lambda request: self.messages.append(request.url))
        self.tab.goto(file.as_uri(), timeout=PATIENCE_MS)
        self.messages.remove(file.as_uri())
        self.wait_until_drawn()

    def wait_until_drawn(self) -> None:
        self.tab.wait_for_selector("html[data-drawn]", timeout=PATIENCE_MS)

    def background(self) -> str:
        return str(self.tab.evaluate("getComputedStyle(document.body).backgroundColor"))

    def assert_nothing_is_wrong(self) -> None:
        assert self.messages == []
        across = self.tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert across == 0
