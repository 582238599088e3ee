"""The card of a schedule, in Markdown: where it comes from, what it is worth, its rates, and how it is used."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from finetune_alf.recipe import movements
from finetune_alf.schedules.description import counted, measured_movement, steps_of, written
from finetune_alf.schedules.reference import is_file
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.score_text import score_text, signed_text


@dataclass(frozen=True)
class ConfirmedDifference:
    """The difference of the confirmed scores from plain fine-tuning, with its 95 % interval and its verdict."""

    mean: float
    low: float
    high: float
    verdict: str | None = None


def card(
    schedule: Schedule,
    ref: str,
    difference: ConfirmedDifference | None = None,
    picture: str | None = None,
    n_steps: int | None = None,
) -> str:
    """Return the card; `ref` is how its readers get the schedule, `picture` the link to a figure of its importance.

    Movements are as measured or, where `n_steps` are given, the largest over these.
    """
    over = counted(n_steps or steps_of(schedule), "step")
    parts = (
        [f"# {schedule.name}", ""],
        _facts(schedule, difference),
        ["", "## Rates", "", f"What they do to the weights is over {over}.", ""],
        _rates(schedule, n_steps),
        ["", "## Importance", ""],
        [f"![The importance of each address in the study]({picture})"] if picture else [_NO_PICTURE],
        ["", "## How to use it", ""],
        _uses(schedule, ref),
        ["", "## Limits", "", _LIMITS],
    )
    return "\n".join(line for part in parts for line in part) + "\n"


_NO_PICTURE = "The figure of the study is not at hand: it is `results/importance/<study>.png` where the study ran."
_LIMITS = (
    "The rates are for one encoder, and were searched on one sample. Compare them with plain fine-tuning on your own "
    "texts before you rely on them."
)


def _facts(schedule: Schedule, difference: ConfirmedDifference | None) -> Iterator[str]:
    provenance, kept = schedule.provenance, schedule.confirmed
    rows = {
        "encoder": f"{provenance.encoder}, {provenance.n_layers} layers ({provenance.architecture})",
        "sample": " ".join(filter(None, (provenance.sample_name, (provenance.sample_digest or "")[:12]))),
        "study": provenance.study + ("" if provenance.trial is None else f", trial {provenance.trial}"),
    }
    if kept:
        score = f"{score_text(kept.mean)} [{score_text(kept.low)}, {score_text(kept.high)}]"
        rows[f"confirmed {kept.metric}"] = (
            f"{score} over {counted(kept.n_seeds, 'seed')} and {counted(kept.n_texts, 'text')}"
        )
    rows["difference from plain fine-tuning"] = _difference(difference)
    rows |= {"source": provenance.citation or "", "digest": schedule.digest}
    yield from ("| | |", "|---|---|")
    yield from (f"| {name} | {_plain(text)} |" for name, text in rows.items() if text)


def _difference(found: ConfirmedDifference | None) -> str:
    if found is None:
        return "not known"
    numbers = (
        f"{signed_text(found.mean)} [{signed_text(found.low)}, {signed_text(found.high)}] on the confirmation split"
    )
    return f"{numbers}: {found.verdict}" if found.verdict else numbers


def _rates(schedule: Schedule, n_steps: int | None) -> Iterator[str]:
    yield from ("| address | rate | |", "|---|---|---|")
    measured = measured_movement(schedule, n_steps)
    moves = movements(schedule.recipe, schedule.rates, n_steps or steps_of(schedule), measured=measured)
    yield from (f"| {address} | {written(found.rate)} | {found} |" for address, found in moves.items())


def _uses(schedule: Schedule, ref: str) -> Iterator[str]:
    get = f"Schedule.{'load' if is_file(ref) else 'pull'}({json.dumps(ref)})"
    yield from ("Plain torch:", "", "```python", "from finetune_alf import Schedule", "")
    yield from (f"schedule = {get}", "print(schedule.apply(model))", "optimizer = schedule.optimizer(model)", "```", "")
    yield from ("Trainer of transformers, which needs `pip install accelerate`:", "", "```python")
    yield from ("trainer = Trainer(model=model, train_dataset=train, **schedule.trainer_kwargs(model))", "```", "")
    yield from ("As a file, which every tool can read:", "", "```sh")
    yield from (f"finetune-alf schedules pull {shlex.quote(ref)} --out {schedule.name}.json", "```")


def _plain(text: str) -> str:
    """Return a text from outside as plain text of a Markdown table."""
    escaped = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{letter}" if letter in "|`[]*" else letter for letter in escaped)
