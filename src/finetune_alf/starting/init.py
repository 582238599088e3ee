"""`init`: look at a table, guess what a project of it needs, and write the project's files."""

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune_alf.data.duplicates import drop_duplicates
from finetune_alf.data.files_source import FileRows
from finetune_alf.data.label_warnings import label_warnings
from finetune_alf.data.readers.names import column_names
from finetune_alf.data.readers.table import read_table
from finetune_alf.data.rows import Text, check_labels
from finetune_alf.data.spec import FilesSource
from finetune_alf.errors import InputError
from finetune_alf.files import write_text
from finetune_alf.metrics import ProblemType
from finetune_alf.params.load import validate
from finetune_alf.params.model import Params
from finetune_alf.params.reading import parse_document
from finetune_alf.starting.columns import Columns, guess_label, guess_task, guess_text
from finetune_alf.starting.dvc_text import dvc_text, gitignore_text
from finetune_alf.starting.encoders import find_encoder, name_of, path_from
from finetune_alf.starting.params_text import Start, params_text
from finetune_alf.starting.profile import profile_of
from finetune_alf.starting.sizes import guess_balance, guess_max_tokens, guess_metric, guess_sizes, rare_classes

MOST_TOKENS_ON_CPU = 64
"""Longer texts are cut without a GPU: a fit takes time in proportion."""

N_MEASURED = 1000
"""About so many texts are tokenized to see how long texts are."""

Log = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """What the user named; the rest is guessed."""

    table: Path
    root: Path
    text: tuple[str, ...] = ()
    label: str | None = None
    encoder: str = "minilm"
    budget_s: float | None = None


def check_room(root: Path, force: bool) -> None:
    """Raise InputError where a file would be written over."""
    there = [str(root / name) for name in ("params.yaml", "dvc.yaml") if (root / name).exists()]
    if there and not force:
        raise InputError(f"{' and '.join(there)}: there already. Name another folder with --root, or pass --force.")


def guess_start(wishes: Wishes, model: type[Params], log: Log) -> Start:
    """Guess all that a project's files say, and log each guess with what it follows from.

    Raises DataError for a table that cannot be read, and InputError where there is nothing to guess from.
    """
    names = column_names(wishes.table)
    table = profile_of(names, (values for _, values in read_table(wishes.table, names, names)))
    log(f"{wishes.table}: {table.n_rows} rows; columns {', '.join(names)}")
    text = guess_text(table, wishes.text, wishes.label)
    log(f"text: {_shown(text.value)} ({text.seen})")
    label = guess_label(table, text.value, wishes.label)
    log(f"label: {_shown(label.value)} ({label.seen})")
    task = guess_task(table.columns[label.value])
    log(f"task: {'classes' if task.value == 'classification' else 'a score'} ({task.seen})")

    used = (label.value, text.value) if isinstance(text.value, str) else (label.value, *text.value)
    n_empty = {name: table.columns[name].n_empty for name in used if table.columns[name].n_empty}
    if n_empty:
        log(f"empty rows: left out ({', '.join(f'{n} without {name}' for name, n in n_empty.items())})")
    rows = _unique_rows(wishes.table, text.value, label.value, task.value)
    left_out = rare_classes(rows.counts) if task.value == "classification" else ()
    if left_out:
        log(f"left out: {_counted({name: rows.counts[name] for name in left_out})} (too few rows to learn and to test)")
        rows = rows.without(left_out)
    balance = guess_balance(rows.counts)
    if task.value == "classification":
        log(f"classes: {_counted(rows.counts)}; {balance.value} ({balance.seen})")
        for text_of_warning in label_warnings(rows.counts):
            log(f"note: {text_of_warning}")
    sizes = guess_sizes(rows.counts, balance.value)
    log(f"sizes: {sizes.value.described()} ({sizes.seen})")
    metric = guess_metric(task.value, balance.value)
    log(f"metric: {metric.value} ({metric.seen})")

    encoder_name, encoder_spec = find_encoder(wishes.encoder, wishes.root)
    table_path = str(path_from(wishes.root, wishes.table))
    start = Start(
        project=name_of(wishes.table.name.partition(".")[0]),
        table=table_path,
        encoder_name=encoder_name,
        encoder=encoder_spec,
        text=text,
        label=label,
        task=task,
        sizes=sizes,
        metric=metric,
        left_out=left_out,
        has_empty=bool(n_empty),
        max_tokens=guess_max_tokens([MOST_TOKENS_ON_CPU], MOST_TOKENS_ON_CPU),
    )
    spec = validate(parse_document(params_text(start), "params.yaml"), model).encoders[encoder_name]
    import torch

    from finetune_alf.encoder.load import load_encoder  # after the guesses that need neither
    from finetune_alf.encoder.locate import resolve_folder

    encoder = load_encoder(resolve_folder(wishes.root, spec), 2)
    log(f"encoder: {encoder_name} ({encoder.n_layers} layers, at most {encoder.n_positions} tokens)")
    most = encoder.n_positions if torch.cuda.is_available() else min(encoder.n_positions, MOST_TOKENS_ON_CPU)
    some = rows.texts[:: len(rows.texts) // N_MEASURED or 1]
    max_tokens = guess_max_tokens([len(ids) for ids in encoder.tokenize(some, encoder.n_positions).input_ids], most)
    log(f"max_tokens: {max_tokens.value} ({max_tokens.seen})")
    start = replace(start, max_tokens=max_tokens)
    return start if wishes.budget_s is None else _in_budget(start, wishes, wishes.budget_s, model, log)


def _in_budget(start: Start, wishes: Wishes, budget_s: float, model: type[Params], log: Log) -> Start:
    """Return the start with the largest search that fits the budget; log its predicted time, and what was cut."""
    from finetune_alf.starting.budget import Prediction, sized

    with tempfile.TemporaryDirectory(prefix="finetune-alf-") as folder:
        found = sized(start, budget_s, Prediction(wishes.table, wishes.root, model, Path(folder)))
    chosen = found.start
    if chosen.max_tokens != start.max_tokens:
        log(f"max_tokens: {chosen.max_tokens.value} ({chosen.max_tokens.seen})")
    if chosen.sizes != start.sizes:
        log(f"sizes: {chosen.sizes.value.described()} ({chosen.sizes.seen})")
    fits = "" if found.seconds <= budget_s else ", the smallest search, which does not fit the budget"
    log(f"search: {chosen.n_trials} trials, {chosen.n_seeds} seeds (predicted: {found.seconds / 60:.0f} min{fits})")
    return chosen


@dataclass(frozen=True)
class _UniqueRows:
    """Each text once, and the rows of each class."""

    texts: Sequence[Text]
    counts: Mapping[str, int]

    def without(self, names: Collection[str]) -> "_UniqueRows":
        """Return the rows without some classes; the lengths of all texts stay."""
        return _UniqueRows(self.texts, {name: n for name, n in self.counts.items() if name not in names})


def _unique_rows(path: Path, text: Columns, label: str, task: ProblemType) -> _UniqueRows:
    """Read the table as `prepare` does; return each text once, and the rows of each class, without empty rows."""
    source = FilesSource(train=str(path.resolve()), text=text, label=label)
    rows = FileRows(source, path.parent, task, on_empty="drop").rows()
    check_labels(rows)
    kept, train = drop_duplicates(rows, "drop").kept["train"], rows.splits["train"]
    counts = dict.fromkeys(rows.label_names, 0)
    for index in kept:
        counts[train.labels[index]] += 1
    return _UniqueRows([train.texts[index] for index in kept], counts)


def write_start(start: Start, root: Path, model: type[Params]) -> list[Path]:
    """Write params.yaml, dvc.yaml and .gitignore; return their paths. Nothing is written where one is not valid."""
    text = params_text(start)
    validate(parse_document(text, str(root / "params.yaml")), model)
    ignored = root / ".gitignore"
    before = ignored.read_text("utf-8") if ignored.exists() else ""
    texts = {"params.yaml": text, "dvc.yaml": dvc_text(start), ".gitignore": gitignore_text(before)}
    for name, content in texts.items():
        write_text(root / name, content)
    return [root / name for name in texts]


def _shown(columns: Columns) -> str:
    return f"column {columns!r}" if isinstance(columns, str) else f"columns {columns[0]!r} and {columns[1]!r}"


def _counted(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts, key=lambda name: -counts[name])
    more = f" and {len(ordered) - 10} more" if len(ordered) > 10 else ""
    return ", ".join(f"{name} {counts[name]}" for name in ordered[:10]) + more
