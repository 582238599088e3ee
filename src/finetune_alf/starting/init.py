"""`init`: look at a table, guess what a project of it needs, and write the project's files."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from finetune_alf.compute.load import busy_note, load_average
from finetune_alf.data.label_warnings import label_warnings
from finetune_alf.data.readers.format import LABEL_SEPARATOR, label_columns
from finetune_alf.data.rows import SINGLE_CLASS, Text
from finetune_alf.data.spec import Balance, LabelsSpec, OnEmpty
from finetune_alf.data.text_columns import JoinedText, TextColumns, columns_of
from finetune_alf.errors import InputError
from finetune_alf.files import write_text
from finetune_alf.metric_names import ProblemType
from finetune_alf.params.load import validate
from finetune_alf.params.model import Params
from finetune_alf.params.reading import parse_document
from finetune_alf.report.numbers import duration
from finetune_alf.running.context import Console
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.starting.columns import Guess, NamedLabel, NamedText
from finetune_alf.starting.dvc_text import dvc_text, gitignore_text, plot_templates
from finetune_alf.starting.encoders import find_encoder, name_of, path_from
from finetune_alf.starting.labels import in_init
from finetune_alf.starting.params_text import Start, params_text
from finetune_alf.starting.sizes import (
    coarse_note,
    guess_balance,
    guess_max_tokens,
    guess_metric,
    guess_sizes,
    rare_classes,
    rare_in_sets,
)
from finetune_alf.starting.table import FoundTable, find_table

MOST_TOKENS_ON_CPU = 64
"""Longer texts are cut without a GPU: a fit takes time in proportion."""

N_MEASURED = 1000
"""About so many texts are tokenized to see how long texts are."""

Log = Callable[[str], None]


@dataclass(frozen=True)
class InitOptions:
    """What the user named; the rest is guessed."""

    table: Path
    root: Path
    text: NamedText = ()
    label: NamedLabel = None
    encoder: str = "minilm"
    budget_s: float | None = None
    on_empty: OnEmpty = "drop"
    labels: LabelsSpec = field(default_factory=LabelsSpec)
    task: ProblemType | None = None


def check_room(root: Path, force: bool) -> None:
    """Raise InputError where a file would be written over."""
    there = [str(root / name) for name in ("params.yaml", "dvc.yaml") if (root / name).exists()]
    if there and not force:
        raise InputError(f"{' and '.join(there)}: there already. Name another folder with --root, or pass --force.")


def guess_start(options: InitOptions, model: type[Params], console: Console) -> Start:
    """Guess all that a project's files say, and log each guess with what it follows from.

    Raises DataError for a table that cannot be read, and InputError where there is nothing to guess from.
    """
    log = console.log
    table = find_table(options.table, options.text, options.label, options.labels, options.task)
    _log_table(options, table, log)
    left_out = _left_out(table)
    if left_out:
        log(
            f"left out: {_counted({name: table.counts[name] for name in left_out})} (too few rows to learn and to test)"
        )
    table = table.without(left_out)
    start = _sized(options, table, left_out, log)
    console.doing(f"loading PyTorch and the encoder {start.encoder_name}, to count the tokens of texts")
    start = _cut(start, options.root, model, table.texts, log)
    if options.budget_s is not None:
        start = _in_budget(start, options, options.budget_s, model, console)
    log(f"sizes: {start.sizes.value.described()} ({start.sizes.seen})")
    if start.metric.value == "balanced_accuracy" and (note := coarse_note(start.sizes.value, table.counts)):
        log(f"note: {note}")
    if start.sizes.value.n_unused:
        log(f"in no split: {'; '.join(start.sizes.value.reasons_unused())}")
    log(f"max_tokens: {start.max_tokens.value} ({start.max_tokens.seen})")
    return start


def _left_out(table: FoundTable) -> tuple[str, ...]:
    if table.task.value == "multi_label":
        n_rows = len(table.texts)
        return rare_in_sets(table.counts, n_rows, guess_sizes({SINGLE_CLASS: n_rows}, "natural").value.n_train)
    return rare_classes(table.counts) if table.task.value == "classification" else ()


_TASKS: Mapping[ProblemType, str] = {
    "classification": "classes",
    "multi_label": "several classes a text",
    "regression": "a score",
}


def _log_table(options: InitOptions, table: FoundTable, log: Log) -> None:
    named = [name for name in table.reading.columns if name]
    n_unnamed = len(table.reading.columns) - len(named)
    unnamed = f", and {n_unnamed} without a name, not used" if n_unnamed else ""
    unread = f"; {table.profile.unread_in_words}" if table.profile.unread else ""
    log(f"{options.table}: {table.profile.n_rows} rows; columns {', '.join(named)}{unnamed}{unread}")
    for setting, value in table.reading.settings().items():
        shown = ", ".join(value) if isinstance(value, list) else value
        log(f"{setting}: {shown} ({table.reading.seen[setting]})")
    log(f"text: {_shown(table.text.value)} ({table.text.seen})")
    columns = label_columns(table.label.value)
    log(f"label: column{'s' * (len(columns) > 1)} {', '.join(map(repr, columns))} ({table.label.seen})")
    log(f"task: {_TASKS[table.task.value]} ({table.task.seen})")
    if table.n_left_out:
        how = "left out" if options.on_empty == "drop" else "an error"
        counts = [f"{n} without {name}" for name, n in table.n_empty.items()]
        if isinstance(table.text.value, JoinedText):
            counts.append(f"{table.n_left_out} rows in all")
        log(f"empty rows: {how} ({', '.join(counts)})")
    if n := table.n_repeated:
        rows = "row" if n == 1 else "rows"
        log(f"repeated texts: {n} {rows} left out, each text is taken once, with its first label")


def _sized(options: InitOptions, table: FoundTable, left_out: tuple[str, ...], log: Log) -> Start:
    """Return the start with splits, metric and encoder; the length of texts is the largest that is not refused."""
    has_sets = table.task.value == "multi_label"
    balance: Guess[Balance] = Guess("natural", "rows have several") if has_sets else guess_balance(table.counts)
    if has_sets:
        log(f"classes: {_counted(table.counts)}")
    if table.task.value == "classification":
        log(f"classes: {_counted(table.counts)}; {balance.value} ({balance.seen})")
    sizes = guess_sizes({SINGLE_CLASS: len(table.texts)} if has_sets else table.counts, balance.value)
    if table.task.value != "regression":
        for text_of_warning in label_warnings(table.counts, in_init):
            log(f"note: {text_of_warning}")
    metric = guess_metric(table.task.value, balance.value)
    log(f"metric: {metric.value} ({metric.seen})")
    encoder_name, encoder = find_encoder(options.encoder, options.root)
    return Start(
        project=name_of(options.table.name.partition(".")[0]),
        table=str(path_from(options.root, options.table)),
        reading={**table.reading.settings(), **_label_marks(table)},
        encoder_name=encoder_name,
        encoder=encoder,
        text=table.text,
        label=table.label,
        task=table.task,
        sizes=sizes,
        metric=metric,
        left_out=left_out,
        labels=options.labels,
        has_empty=table.n_left_out > 0 and options.on_empty == "drop",
        max_tokens=guess_max_tokens([MOST_TOKENS_ON_CPU], MOST_TOKENS_ON_CPU),
    )


def _label_marks(table: FoundTable) -> dict[str, str]:
    """Return what stands between classes and in scores, where it is not the usual."""
    found = {"label_separator": (table.label_separator, LABEL_SEPARATOR), "decimal": (table.decimal, ".")}
    return {name: mark for name, (mark, usual) in found.items() if mark != usual}


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
    limit = encoder.n_positions
    tokens = encoder.tokenizer(some, limit + 1, encoder.takes_token_types)  # a longer text has more than the limit
    return replace(start, max_tokens=guess_max_tokens([len(ids) for ids in tokens.input_ids], most, limit))


def _in_budget(start: Start, options: InitOptions, budget_s: float, model: type[Params], console: Console) -> Start:
    """Return the start with the largest search that fits the budget; log its predicted time, and what was cut."""
    from finetune_alf.starting.budget import Prediction, described_cuts, sized

    load = load_average()  # before the probe, which is work, too
    console.log("budget: timing steps and evaluations of this encoder, to predict how long a run takes")
    with tempfile.TemporaryDirectory(prefix="finetune-alf-") as folder:
        predicted_s = Prediction(options.table, options.root, model, Path(folder), console)
        found = sized(start, budget_s, predicted_s)
        cuts = described_cuts(start, found.start)
        whole_s = predicted_s(start) if cuts else 0.0
        note = busy_note(load, predicted_s.cpu_share)
    if cuts:
        console.log(f"cut: {cuts}; the run without a budget is predicted to take {duration(whole_s)}")
    chosen = found.start
    fits = "" if found.seconds <= budget_s else ", the smallest search, which does not fit the budget"
    verdict = "" if chosen.n_seeds >= MIN_SEEDS else f" (too few for a verdict, which takes {MIN_SEEDS})"
    searched = f"{chosen.n_trials} trials, {chosen.n_seeds} seeds{verdict}"
    console.log(f"search: {searched}; predicted: {duration(found.seconds)}{fits}")
    if note:
        console.log(f"note: {note}")
    return replace(chosen, predicted_s=found.seconds, was_busy=note is not None)


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
    return ", ".join(f"{_quoted(name)} {counts[name]}" for name in ordered[:10]) + more


def _quoted(name: str) -> str:
    """Return a name as it stands before its count: in quotes where it could be taken for a part of that, or for two."""
    return repr(name) if "," in name or name[-1:].isdigit() else name
