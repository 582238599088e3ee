"""Writing params.yaml: presets merged into it, or parameters as they were used. Whole and valid, or not at all."""

import io
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from finetune_alf.errors import ParamsError
from finetune_alf.files import write_text
from finetune_alf.params.edit import lay_over
from finetune_alf.params.load import validate
from finetune_alf.params.model import Params
from finetune_alf.params.presets import find_source
from finetune_alf.params.reading import parse_document, read_source


def use_presets(path: Path, presets: Sequence[str], *, anew: bool = False) -> Params:
    """Merge presets, or files, into a params file with its comments kept.

    With `anew`, or where there is no file, they go over the default. Raises ParamsError, the file untouched, when the
    outcome would not be valid.
    """
    text = find_source("default").text if anew or not path.exists() else read_source(path)
    for name in presets:
        over = find_source(name)
        text = lay_over(text, over.text, source=str(path), over_source=over.shown)
    try:
        params = validate(parse_document(text, str(path)))
    except ParamsError as error:
        raise ParamsError(
            f"{path}: must be valid with {', '.join(presets)} merged into it, but would have faults; it is unchanged. "
            f"To start from the default parameters: finetune-alf params use --anew {' '.join(presets)}\n{error}"
        ) from None
    write_text(path, text)
    return params


def write_params(path: Path, params: Params) -> None:
    """Write parameters out, every default included."""
    yaml = YAML()
    yaml.default_flow_style = False
    text = io.StringIO()
    yaml.dump(params.model_dump(mode="json", by_alias=True), text)
    write_text(path, text.getvalue())
