"""Files of the repository as pages of the site.

A link to a file leads to its page where the site has one, else its text alone stays. GitHub takes a bar in the code of
a table for the end of a cell unless it has a backslash before it, Python-Markdown shows that backslash: it is left out.
"""

import os
import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

PAGES = {
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    **{
        f"benchmarks/results/{path.name}": f"measurements/{path.name}"
        for path in sorted((ROOT / "benchmarks" / "results").glob("*.md"))
    },
}
"""Files of the repository outside of docs/ that are pages of the site too, and the names of these."""

_FENCED = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
_ROW, _CODE = re.compile(r"^\|.*$", re.MULTILINE), re.compile(r"`[^`]+`")
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")


def for_site(markdown: str, source: str, page: str) -> str:
    """Return the text of a file of the repository as the text of a page of the site.

    `source` is the file's path from the root of the repository, `page` the page's from docs/.
    """
    parts = _FENCED.split(markdown)
    return "".join(part if part.startswith("```") else _prose(part, source, page) for part in parts)


def _prose(text: str, source: str, page: str) -> str:
    text = _ROW.sub(lambda row: _CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0]), text)
    return _LINK.sub(lambda link: _link(link[0], link[1], link[2], source, page), text)


def _link(whole: str, text: str, address: str, source: str, page: str) -> str:
    name, hash_, anchor = address.partition("#")
    if "://" in address or not name:
        return whole
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
    if (ROOT / target).is_dir() or not (ROOT / target).exists():
        return text if (ROOT / target).exists() else whole
    at = PAGES.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
    if at is None:
        return text
    return f"[{text}]({os.path.relpath(at, posixpath.dirname(page) or '.')}{hash_}{anchor})"
