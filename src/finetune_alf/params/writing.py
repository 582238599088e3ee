"""Writing params.yaml: presets merged into it, or parameters as they were used. Whole and valid, or not at all."""

import io
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from finetune_alf.errors import ParamsError
from finetune_alf.files import write_text
from finetune_alf.params.document import overlay
from finetune_alf.params.edit import has_aliases, merge_text
from finetune_alf.params.load import validate
from finetune_alf.params.model import Params
from finetune_alf.params.presets import find_source
from finetune_alf.params.reading import parse_document, read_source


def use_presets(
    path: Path, presets: Sequence[str], *, model: type[Params], anew: bool = False, kept: Path | None = None
) -> Params:
    """Merge presets, or files, into a params file with its comments kept.

    Where there is none, `kept` takes its place, what the last run ran with; with `anew`, or without either, presets go
    over the default. Raises ParamsError, the file untouched, when the outcome would not be valid.
    """
    before = None if anew else next((file for file in (path, kept) if file is not None and file.exists()), None)
    text = find_source("default").text if before is None else read_source(before)
    document = parse_document(text, str(before or path))
    over = [find_source(name) for name in presets]
    for source in over:
        document = overlay(document, parse_document(source.text, source.shown))
    try:
        params = validate(document, model)
    except ParamsError as error:
        raise ParamsError(
            f"{path}: cannot merge {', '.join(presets)}, the parameters would not be valid. The file is unchanged. "
            f"To start from the default parameters: finetune-alf params use --anew {' '.join(presets)}\n{error}",
            error.faults,
        ) from None
    if any(map(has_aliases, (text, *(source.text for source in over)))):
        raise ParamsError(
            f"{path}: cannot merge YAML with aliases such as `*name`. The file is unchanged. Edit it by hand."
        )
    for source in over:
        text = merge_text(text, source.text)
    if parse_document(text, str(path)).value != document.value:
        raise ParamsError(f"{path}: cannot merge {', '.join(presets)}. The file is unchanged. Edit it by hand.")
    write_text(path, text)
    return params


def write_params(path: Path, params: Params) -> None:
    """Write parameters out, every default included."""
    yaml = YAML()
    yaml.default_flow_style = False
    text = io.StringIO()
    yaml.dump(params.model_dump(mode="json", by_alias=True), text)
    write_text(path, text.getvalue())
