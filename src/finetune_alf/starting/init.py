"""`init`: look at a table, guess what a project of it needs, and write the project's files."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune_alf.data.label_warnings import label_warnings
from finetune_alf.data.rows import Text
from finetune_alf.data.spec import OnEmpty
from finetune_alf.data.text_columns import JoinedText, TextColumns, columns_of
from finetune_alf.errors import InputError
from finetune_alf.files import write_text
from finetune_alf.params.load import validate
from finetune_alf.params.model import Params
from finetune_alf.params.reading import parse_document
from finetune_alf.starting.columns import NamedText
from finetune_alf.starting.dvc_text import dvc_text, gitignore_text, plot_templates
from finetune_alf.starting.encoders import find_encoder, name_of, path_from
from finetune_alf.starting.params_text import Start, params_text
from finetune_alf.starting.sizes import guess_balance, guess_max_tokens, guess_metric, guess_sizes, rare_classes
from finetune_alf.starting.table import FoundTable, find_table

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
    text: NamedText = ()
    label: str | None = None
    encoder: str = "minilm"
    budget_s: float | None = None
    on_empty: OnEmpty = "drop"


def check_room(root: Path, force: bool) -> None:
    """Raise InputError where a file would be written over."""
    there = [str(root / name) for name in ("params.yaml", "dvc.yaml") if (root / name).exists()]
    if there and not force:
        raise InputError(f"{' and '.join(there)}: there already. Name another folder with --root, or pass --force.")


def guess_start(wishes: Wishes, model: type[Params], log: Log) -> Start:
    """Guess all that a project's files say, and log each guess with what it follows from.

    Raises DataError for a table that cannot be read, and InputError where there is nothing to guess from.
    """
    table = find_table(wishes.table, wishes.text, wishes.label)
    _log_table(wishes, table, log)
    left_out = rare_classes(table.counts) if table.task.value == "classification" else ()
    if left_out:
        log(
            f"left out: {_counted({name: table.counts[name] for name in left_out})} (too few rows to learn and to test)"
        )
    start = _sized(wishes, table.without(left_out), left_out, log)
    start = _cut(start, wishes.root, model, table.texts, log)
    return start if wishes.budget_s is None else _in_budget(start, wishes, wishes.budget_s, model, log)


def _log_table(wishes: Wishes, table: FoundTable, log: Log) -> None:
    log(f"{wishes.table}: {table.profile.n_rows} rows; columns {', '.join(table.reading.columns)}")
    for setting, value in table.reading.settings().items():
        shown = ", ".join(value) if isinstance(value, list) else value
        log(f"{setting}: {shown} ({table.reading.seen[setting]})")
    log(f"text: {_shown(table.text.value)} ({table.text.seen})")
    log(f"label: {_shown(table.label.value)} ({table.label.seen})")
    log(f"task: {'classes' if table.task.value == 'classification' else 'a score'} ({table.task.seen})")
    if table.n_empty:
        how = "left out" if wishes.on_empty == "drop" else "an error"
        log(f"empty rows: {how} ({', '.join(f'{n} without {name}' for name, n in table.n_empty.items())})")


def _sized(wishes: Wishes, table: FoundTable, left_out: tuple[str, ...], log: Log) -> Start:
    """Return the start with splits, metric and encoder; the length of texts is the largest that is not refused."""
    balance = guess_balance(table.counts)
    if table.task.value == "classification":
        log(f"classes: {_counted(table.counts)}; {balance.value} ({balance.seen})")
        for text_of_warning in label_warnings(table.counts):
            log(f"note: {text_of_warning}")
    sizes = guess_sizes(table.counts, balance.value)
    log(f"sizes: {sizes.value.described()} ({sizes.seen})")
    metric = guess_metric(table.task.value, balance.value)
    log(f"metric: {metric.value} ({metric.seen})")
    encoder_name, encoder = find_encoder(wishes.encoder, wishes.root)
    return Start(
        project=name_of(wishes.table.name.partition(".")[0]),
        table=str(path_from(wishes.root, wishes.table)),
        reading=table.reading.settings(),
        encoder_name=encoder_name,
        encoder=encoder,
        text=table.text,
        label=table.label,
        task=table.task,
        sizes=sizes,
        metric=metric,
        left_out=left_out,
        has_empty=bool(table.n_empty) and wishes.on_empty == "drop",
        max_tokens=guess_max_tokens([MOST_TOKENS_ON_CPU], MOST_TOKENS_ON_CPU),
    )


def _cut(start: Start, root: Path, model: type[Params], texts: Sequence[Text], log: Log) -> Start:
    """Return the start with the length at which texts are cut, by the tokens of some of them."""
    import torch

    from finetune_alf.encoder.load import load_encoder  # after the guesses that need neither
    from finetune_alf.encoder.locate import resolve_folder

    spec = validate(parse_document(params_text(start), "params.yaml"), model).encoders[start.encoder_name]
    encoder = load_encoder(resolve_folder(root, spec), 2)
    log(f"encoder: {start.encoder_name} ({encoder.n_layers} layers, at most {encoder.n_positions} tokens)")
    most = encoder.n_positions if torch.cuda.is_available() else min(encoder.n_positions, MOST_TOKENS_ON_CPU)
    some = texts[:: len(texts) // N_MEASURED or 1]
    max_tokens = guess_max_tokens([len(ids) for ids in encoder.tokenize(some, encoder.n_positions).input_ids], most)
    log(f"max_tokens: {max_tokens.value} ({max_tokens.seen})")
    return replace(start, max_tokens=max_tokens)


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


def write_start(start: Start, root: Path, model: type[Params]) -> list[Path]:
    """Write params.yaml, dvc.yaml, the templates of its plots and .gitignore; return their paths.

    Nothing is written where one is not valid. Templates that are there are the user's own, and stay.
    """
    text = params_text(start)
    validate(parse_document(text, str(root / "params.yaml")), model)
    ignored = root / ".gitignore"
    before = ignored.read_text("utf-8") if ignored.exists() else ""
    texts = {"params.yaml": text, "dvc.yaml": dvc_text(start), ".gitignore": gitignore_text(before)}
    texts |= {name: content for name, content in plot_templates().items() if not (root / name).exists()}
    for name, content in texts.items():
        write_text(root / name, content)
    return [root / name for name in ("params.yaml", "dvc.yaml", "plots", ".gitignore")]


def _shown(text: TextColumns) -> str:
    names = " and ".join(map(repr, columns_of(text)))
    if isinstance(text, JoinedText):
        return f"columns {names}, joined by {text.by!r}"
    return f"column{'' if isinstance(text, str) else 's'} {names}"


def _counted(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts, key=lambda name: -counts[name])
    more = f" and {len(ordered) - 10} more" if len(ordered) > 10 else ""
    return ", ".join(f"{name} {counts[name]}" for name in ordered[:10]) + more
