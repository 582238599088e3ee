"""MkDocs's hooks: pages that are made at build time, and links that leave docs/."""

from commands_page import commands_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from python_page import python_page
from repository_links import PAGES, ROOT, for_site
from settings_pages import settings_pages

_ALONE = ("README.md", "tutorial.md", "concepts.md")


def generated_pages() -> dict[str, str]:
    """Return the pages of the reference, Markdown by their paths from docs/."""
    return {
        **settings_pages(),
        "reference/commands.md": commands_page(),
        "reference/python.md": python_page(),
    }


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the files of the repository that are pages."""
    pages = generated_pages()
    pages |= {page: for_site((ROOT / path).read_text("utf-8"), path, page) for path, page in PAGES.items()}
    for page, markdown in pages.items():
        files.append(File.generated(config, page, content=markdown))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links of a page of docs/ that leave it; a page without others beside it has no list of them."""
    if page.file.src_uri in _ALONE:
        page.meta["hide"] = ["navigation"]
    if page.file.generated_by:
        return markdown
    return for_site(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)
