"""The project behind a Study: its folder, its table, and its parameters, which are those that `init` would write."""

import copy
import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finetune_alf.data.frames import splits_of, write_frame
from finetune_alf.data.readers.format import label_columns
from finetune_alf.data.text_columns import JoinedText
from finetune_alf.errors import InputError, ParamsError
from finetune_alf.experiments.registry import load_params, model_of
from finetune_alf.metric_names import LABELS
from finetune_alf.notebook.columns import Columns, column_names, named_text
from finetune_alf.notebook.own_splits import sizes_of_own_splits
from finetune_alf.notebook.settings import guesses_replaced, plain, set_settings, setting
from finetune_alf.params.document import Document
from finetune_alf.params.load import check_against, validate
from finetune_alf.params.model import Params
from finetune_alf.params.section import entry
from finetune_alf.params.writing import write_params
from finetune_alf.paths import Paths
from finetune_alf.running.context import Console, Context, ProgressBar
from finetune_alf.running.input_checks import recipe_disagreements
from finetune_alf.starting.columns import named_label
from finetune_alf.starting.encoders import name_of
from finetune_alf.starting.init import InitOptions, guess_start
from finetune_alf.starting.labels import labels_of
from finetune_alf.starting.params_text import Start, start_params
from finetune_alf.study.spec import StudySpec

FOLDER = "finetune-alf"
"""Projects lie here, below the working directory, unless `root` names their folder."""


class Project:
    """A folder, its parameters, and the study in it; `guesses` are those that hold, none where nothing was guessed."""

    def __init__(
        self,
        paths: Paths,
        study: str,
        params: dict[str, Any],
        console: Console,
        guesses: Mapping[str, Any] | None = None,
    ) -> None:
        self.paths, self.study, self.guesses = paths, study, guesses or {}
        self._params, self._console = params, console
        self.context = Context(validated(params, paths.root), paths, console)

    @property
    def sample(self) -> str:
        """The name of the study's sample."""
        return self.spec.sample

    @property
    def spec(self) -> StudySpec:
        """The settings of the study."""
        return self.context.study(self.study)

    def set(self, path: Sequence[str], value: Any) -> None:
        """Set one parameter; ParamsError, with all parameters as they were, for a value that is not valid."""
        changed = copy.deepcopy(self._params)
        section = changed
        for key in path[:-1]:
            section = section.setdefault(key, {})
        section[path[-1]] = setting(path[-1], value)
        self.context = Context(validated(changed, self.paths.root), self.paths, self._console)
        self._params = changed

    def keep_params(self) -> None:
        """Write the parameters to where a run keeps them, and the commands read them; not beside a params.yaml."""
        if not self.paths.params.exists():
            write_params(self.paths.kept_params, self.context.params)


def new_project(
    data: object,
    text: Columns | Mapping[str, Any] | None,
    label: Columns | None,
    encoder: str,
    name: str | None,
    root: Path | None,
    settings: Mapping[str, Any],
    console: Console,
) -> Project:
    """Return the project of a table: it is written to the root unless it is a file, and its settings are guessed.

    Raises InputError for a root with parameters of its own, and what `guess_start` and `write_frame` raise.
    """
    is_file = isinstance(data, str | Path)
    own = name_of(name or (Path(str(data)).name.partition(".")[0] if is_file else "texts"))
    paths = Paths(Path(FOLDER) / own if root is None else root)
    if paths.params.exists():
        raise InputError(
            f"{paths.params}: there already, with parameters of its own. Name another folder, as in root=…, or open "
            f"this one: Study.open({str(paths.root)!r})."
        )
    named = named_text(text)
    texts = named.join if isinstance(named, JoinedText) else named
    own_label = named_label(column_names(label))
    columns = (*texts, *label_columns(own_label)) if texts and own_label else ()
    tables = {} if is_file else _written(data, paths, own, columns)
    train = Path(str(data)) if is_file else tables["train"].path
    on_empty = settings.get("on_empty", "error")
    labels = labels_of(plain(settings.get("labels", {})))
    task = next((kind for kind in LABELS if kind == settings.get("problem_type")), None)
    options = InitOptions(
        train, paths.root, named, own_label, str(encoder), on_empty=on_empty, labels=labels, task=task
    )
    replaced = guesses_replaced(settings)
    start = replace(_guessed(options, console, replaced), project=own)
    params = start_params(start)
    sample = params["samples"][own]
    for split in tables.keys() - {"train"}:
        sample["source"][split] = tables[split].path.relative_to(paths.root).as_posix()
    sample |= sizes_of_own_splits(sample, {split: table.n_rows for split, table in tables.items()}, paths.root)
    others = {name: value for name, value in settings.items() if name != "labels"}
    set_settings(params, own, start.encoder_name, others)
    guesses = {guess: found for guess, found in start.guesses().items() if guess not in replaced}
    return Project(paths, start.encoder_name, params, console, guesses)


def open_project(root: Path, study: str | None, console: Console) -> Project:
    """Return the project of a folder that has parameters, and one of its studies; the only one unless it is named.

    Raises InputError for a folder without parameters, and ParamsError for parameters that are not valid.
    """
    paths = Paths(root)
    if not paths.params_in_force.exists():
        raise InputError(
            f"{root}: must have a params.yaml, or that of its last run, but has none. Name another folder."
        )
    params = load_params(paths.params_in_force)
    if study is None and len(params.studies) != 1:
        raise InputError(
            f"{root}: must have one study where none is named, but has {', '.join(params.studies) or 'none'}. "
            "Name one: Study.open(root, name)."
        )
    named = study or next(iter(params.studies))
    entry("studies", params.studies, named)
    return Project(paths, named, params.model_dump(mode="json", by_alias=True), console)


def validated(params: dict[str, Any], root: Path) -> Params:
    """Return the record of parameters; ParamsError with every fault, by the config of the encoder as well."""
    document = Document("Study", params)
    try:
        found = validate(document, model_of())
        check_against(document, recipe_disagreements(found, root))
        return found
    except ParamsError as error:
        raise ParamsError(str(error).replace("Study:1:1 ", "")) from None  # there is no file with lines


def in_python(text: str) -> str:
    """Return what `init` says, with arguments of Study in the place of its options."""
    text = re.sub(r"--labels '\{(\w+): ([^']*)\}' --force", r'labels={"\1": \2}', text)
    text = re.sub(r"--text \S.*? --join(?= takes)", _joined_in_python, text).replace("without --join", "a list")
    return re.sub(r"--(text|label|encoder)( COLUMN)?", r"\1=…", text)


def _joined_in_python(words: re.Match[str]) -> str:
    names = [word for word in shlex.split(words[0]) if word not in ("--text", "--join")]
    return f"text={{{json.dumps('join')}: {json.dumps(names, ensure_ascii=False)}}}"


@dataclass(frozen=True)
class _InPython:
    """A console for what `init` says, with arguments of Study in the place of its options.

    Lines of guesses that settings take the place of are dropped.
    """

    console: Console
    replaced: Collection[str]

    def log(self, text: str) -> None:
        """Log one line."""
        name = text.partition(":")[0]
        if ("sizes" if name == "in no split" else name) not in self.replaced:
            self.console.log(in_python(text))

    def doing(self, text: str) -> None:
        """Say what takes a while."""
        self.console.doing(in_python(text))

    def progress(self, label: str, total: int) -> AbstractContextManager[ProgressBar]:
        """Show progress towards a total."""
        return self.console.progress(label, total)


def _guessed(options: InitOptions, console: Console, replaced: Collection[str]) -> Start:
    try:
        return guess_start(options, model_of(), _InPython(console, replaced))
    except InputError as error:
        if type(error) is not InputError:  # it is about rows or a checkpoint, and names no option
            raise
        raise InputError(in_python(str(error))) from None


@dataclass(frozen=True)
class _Table:
    path: Path
    n_rows: int


def _written(data: object, paths: Paths, name: str, columns: Sequence[str]) -> dict[str, _Table]:
    """Write each split of the data to a file of the project, and return the files."""
    found: dict[str, _Table] = {}
    for split, frame in splits_of(data).items():
        path = paths.root / "data" / (f"{name}.parquet" if split == "train" else f"{name}-{split}.parquet")
        found[split] = _Table(path, write_frame(path, frame, columns))
    return found
