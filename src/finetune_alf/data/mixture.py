"""A mixture: the samples of several tasks, in one folder with a folder for each task, written atomically."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from finetune_alf.checksums import digest, parse_checked
from finetune_alf.data.sample import SPLITS, Card, Sample, load_sample
from finetune_alf.errors import DataError
from finetune_alf.os_errors import check_regular
from finetune_alf.paths import way_out_of
from finetune_alf.recipe.classes import Classes
from finetune_alf.recipe.task_plans import TaskInfo
from finetune_alf.spec import Spec, first_fault


class MixtureCard(Spec):
    """The metadata of a mixture; each task has a card of its own."""

    name: str
    tasks: dict[str, str]
    """The digest of each task's sample, in order."""
    counts: dict[str, dict[str, int]]
    """Rows by split and task."""
    digest: str
    """SHA-256 of the tasks' names and digests, in order."""


@dataclass(frozen=True)
class Mixture:
    """The samples of several tasks, by name, in order."""

    name: str
    card: MixtureCard
    tasks: Mapping[str, Sample]


AnySample = Sample | Mixture
"""The sample of `samples.<name>`; both kinds have a name, a card with a digest, and tasks."""


def load_any_sample(folder: Path) -> AnySample:
    """Read a sample or a mixture; raises DataError when a file is missing or invalid, or rows have another digest."""
    card = _read_card(folder / "card.json")
    if card is None:
        return load_sample(folder)
    samples = {task: load_sample(folder / task) for task in card.tasks}
    found = card_of(card.name, {task: sample.card for task, sample in samples.items()})
    if found != card:
        raise DataError(
            f"{folder}: the tasks must have the card's digest {card.digest}, but got {found.digest}. "
            f"{way_out_of(folder)}"
        )
    return Mixture(card.name, card, samples)


def task_infos(drawn: AnySample) -> dict[str, TaskInfo]:
    """Return what the labels of each task are, its classes, and whether its rows are pairs."""
    return {task: _task_info(sample) for task, sample in drawn.tasks.items()}


def _task_info(sample: Sample) -> TaskInfo:
    train, card = sample.splits["train"], sample.card
    counts = Counter(train.classes)
    own = {name: counts[index] for index, name in enumerate(card.label_names)}
    classes = Classes(own if card.class_counts is None else card.class_counts["train"])
    return TaskInfo(classes, not isinstance(train.texts[0], str), can_have_several=card.problem_type == "multi_label")


def card_of(name: str, cards: Mapping[str, Card]) -> MixtureCard:
    """Return the card of a mixture, from the cards of its samples."""
    digests = {task: card.digest for task, card in cards.items()}
    return MixtureCard(
        name=name,
        tasks=digests,
        counts={split: {task: _n_rows(card, split) for task, card in cards.items()} for split in SPLITS},
        digest=digest(list(digests.items())),
    )


def _n_rows(card: Card, split: str) -> int:
    return sum(card.counts[split].values())


def _read_card(path: Path) -> MixtureCard | None:
    """Read a mixture's card; None for any other file, which `load_sample` reads or refuses."""
    check_regular(path, DataError)
    try:
        document = parse_checked(path.read_bytes())
    except (OSError, ValueError):
        return None
    if "tasks" not in document:
        return None
    try:
        return MixtureCard.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise DataError(f"{path}: must be a mixture's card, but got {first_fault(error)}. {way_out_of(path)}") from None
