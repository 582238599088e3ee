"""The page of the Python interface: every public name of the package, which mkdocstrings fills from its docstring."""

import finetune_alf

_GROUPS = {
    "Schedules": ("finetune_alf.schedules",),
    "Searching": ("finetune_alf.notebook", "finetune_alf.study"),
    "Rates and recipes": ("finetune_alf.rates", "finetune_alf.recipe"),
    "Encoders": ("finetune_alf.encoder",),
    "Data": ("finetune_alf.data",),
    "Fitting": ("finetune_alf.train", "finetune_alf.jobs", "finetune_alf.compute"),
    "Projects": ("finetune_alf.paths", "finetune_alf.experiments", "finetune_alf.errors"),
}
"""The headings of the page, and the packages whose names stand under each."""

_INHERITING = ("Study",)
"""The classes that get some of their public methods from another class of the package."""

_INTRODUCTION = """# Python

Every public name of the package. Each can be imported from `finetune_alf` itself, as in
`from finetune_alf import Schedule`, and is loaded when it is first used.
"""


def python_page() -> str:
    """Return the Markdown of the page."""
    parts = [_INTRODUCTION]
    for heading, homes in _GROUPS.items():
        parts += [f"## {heading}\n", *map(_entry, _paths(homes))]
    return "\n".join(parts)


def _entry(path: str) -> str:
    is_inheriting = path.rpartition(".")[2] in _INHERITING
    return f"::: {path}\n" + ("    options:\n      inherited_members: true\n" if is_inheriting else "")


def _paths(homes: tuple[str, ...]) -> list[str]:
    names = {name: home for name, home in finetune_alf._HOMES.items() if home.startswith(homes)}
    return [f"{home}.{name}" for name, home in names.items()]
