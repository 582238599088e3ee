"""The text of a new project's params.yaml: what was guessed, the reasons beside it, and the default's study."""

import copy
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from finetune_alf.data.readers.format import LabelColumns
from finetune_alf.data.spec import LabelsSpec
from finetune_alf.data.text_columns import JoinedText, TextColumns
from finetune_alf.metric_names import MetricName, ProblemType
from finetune_alf.params.load import read_overlay
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.starting.columns import Guess
from finetune_alf.starting.sizes import Sizes
from finetune_alf.starting.yaml_writer import params_writer

_LINE = 90
"""Maps that are longer as JSON, or have maps of their own, are written over several lines."""

_OVER_LINES = frozenset({"samples", "n_top"})
"""Maps with these keys are written over several lines: each has a comment."""

_COLUMN = 40
"""Where the reasons stand."""

_HEAD = """\
# Written by `finetune-alf init`. `finetune-alf prepare`, then `finetune-alf plan`, predict the time of a run;
# `finetune-alf run` runs it, or resumes it; `finetune-alf params check` reports mistakes. Other settings have defaults.
"""

_SECTION_COMMENTS = {
    "encoders": "pre-trained models",
    "samples": "rows of a table, drawn at random into four splits",
    "studies": "searches for the best learning rate of each layer",
    "register": "the best trials, fitted again under other seeds",
    "transfer": "ways to train, compared on the test rows",
    "fit": "a classifier for use, by the way to train that is recommended",
}
_SAMPLE_COMMENTS = {
    "n_validation": "each trial is scored on them",
    "n_confirmation": "the best trials are scored again on them",
    "n_test": "ways to train are compared on them",
    "balance": "classes are as frequent as in the table; even: equally many rows of each",
    "max_train_frac": "the largest part of all rows that may be trained on; a tenth where it is not set",
}
_STUDY_COMMENTS = {
    "space": "each trial draws one of these for each layer; 0 freezes the layer",
    "sampler": "Optuna's; {kind: random} draws without looking at results",
    "enqueue": "the first trial is the recipe as it stands: plain fine-tuning",
    "n_trials": "raise it, and run again, to go on with the search",
}
_RECIPE_COMMENTS = {
    "rates": "the baseline: one rate for all layers, another one for the new head",
    "epochs": "passes over the training rows",
    "class_weights": "classes are uneven: each counts the same in the loss, too",
}
_REGISTER_COMMENTS = {"n_top": "so many trials, two at least", "n_seeds": "so many fits of each"}
_TRANSFER_COMMENTS = {
    "schemes": "frozen encoder, plain, searched rates, best single rate, linear model",
    "n_seeds": f"fits of each; {MIN_SEEDS} and more have a verdict",
}
"""What stands beside the keys of params.yaml, besides the reasons of guesses."""

SMALL_TRAIN, BATCH = 150, 16
"""With fewer training rows the default's small batches stay; with as many, a batch has so many texts."""


N_TRIALS = 24
"""A search without a budget has so many; the default's own is a demonstration."""


@dataclass(frozen=True)
class Start:
    """All that a new project's files say: names, where the table lies, how it is read, the guesses, and the search.

    `predicted_s` is the time of the run in seconds, as a budget had it predicted; None without one. `was_busy`: other
    work held the machine's cores when it was predicted.
    """

    project: str
    table: str
    encoder_name: str
    encoder: Mapping[str, Any]
    text: Guess[TextColumns]
    label: Guess[LabelColumns]
    task: Guess[ProblemType]
    sizes: Guess[Sizes]
    metric: Guess[MetricName]
    max_tokens: Guess[int]
    reading: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    labels: LabelsSpec = field(default_factory=LabelsSpec)
    has_empty: bool = False
    n_trials: int = N_TRIALS
    n_seeds: int = MIN_SEEDS
    predicted_s: float | None = None
    was_busy: bool = False

    def guesses(self) -> dict[str, Any]:
        """Return each guess with what it follows from, as JSON has it."""
        found = {name: guess for name, guess in vars(self).items() if isinstance(guess, Guess)}
        values = {name: _as_json(guess.value) for name, guess in found.items()}
        return {name: {"value": values[name], "seen": guess.seen} for name, guess in found.items()}

    @property
    def sample(self) -> str:
        """The name of the sample."""
        return self.project

    @property
    def batch(self) -> int:
        """The number of texts of a training step."""
        study = next(iter(_default()["studies"].values()))
        return BATCH if self.sizes.value.n_train >= SMALL_TRAIN else int(study["recipe"]["batch"])

    @property
    def has_classes(self) -> bool:
        """Whether labels are classes, of which a classifier can be saved."""
        return self.task.value != "regression"


def start_params(start: Start) -> dict[str, Any]:
    """Return the parameters of a new project, as params.yaml has them."""
    default = copy.deepcopy(_default())
    study = next(iter(default["studies"].values())) | {"encoder": start.encoder_name, "sample": start.sample}
    study["metric"] = start.metric.value
    study["recipe"]["max_tokens"] = start.max_tokens.value
    if start.task.value == "classification" and start.sizes.value.balance == "natural":
        study["recipe"]["class_weights"] = "balanced"
    study["recipe"]["batch"] = start.batch
    study["n_trials"] = start.n_trials
    return {
        "project": start.project,
        "encoders": {start.encoder_name: dict(start.encoder)},
        "samples": {start.sample: _sample(start)},
        "studies": {start.encoder_name: study},
        "register": {"n_top": default["register"]["n_top"], "n_seeds": start.n_seeds},
        "transfer": {
            "studies": [start.encoder_name],
            "samples": [start.sample],
            "schemes": default["transfer"]["schemes"],
            "n_seeds": start.n_seeds,
        },
        **({"fit": {start.encoder_name: {}}} if start.has_classes else {}),
    }


@cache
def _default() -> dict[str, Any]:
    """Return the default's parameters, which are read once: a budget asks for them at each size that it tries."""
    return read_overlay("default").value


def _sample(start: Start) -> dict[str, Any]:
    sizes = start.sizes.value
    text = list(start.text.value) if isinstance(start.text.value, tuple) else _as_json(start.text.value)
    label = list(start.label.value) if isinstance(start.label.value, tuple) else start.label.value
    return {
        "source": {"kind": "files", "train": start.table, "text": text, "label": label, **start.reading},
        **({"problem_type": start.task.value} if start.task.value != "classification" else {}),
        **({"on_empty": "drop"} if start.has_empty else {}),
        **({"labels": labels} if (labels := _labels(start)) else {}),
        "n_train": sizes.n_train,
        "n_validation": sizes.n_validation,
        "n_confirmation": sizes.n_confirmation,
        "n_test": sizes.n_test,
        **({"balance": sizes.balance} if sizes.balance != "even" else {}),
        "max_train_frac": 1,
    }


def _labels(start: Start) -> dict[str, Any]:
    """Return the user's own `labels`, with the classes that are left out beside those."""
    own = {"map": start.labels.map, "drop": [*start.labels.drop, *start.left_out], "min_rows": start.labels.min_rows}
    return {name: value for name, value in own.items() if value}


def _as_json(value: Any) -> Any:
    """Return a guess as JSON has it."""
    if isinstance(value, Sizes):
        return vars(value)
    return value.model_dump(mode="json") if isinstance(value, JoinedText) else value


def params_text(start: Start) -> str:
    """Return params.yaml as text, with the reasons of the guesses as comments."""
    tree = _styled(start_params(start))
    sample, study = tree["samples"][start.sample], tree["studies"][start.encoder_name]
    for node, comments in (
        (tree, _SECTION_COMMENTS),
        (sample, _SAMPLE_COMMENTS | {"n_train": f"of {start.sizes.seen}"}),
        (study, _STUDY_COMMENTS | {"metric": start.metric.seen}),
        (study["recipe"], _RECIPE_COMMENTS | {"max_tokens": start.max_tokens.seen}),
        (tree["register"], _REGISTER_COMMENTS),
        (tree["transfer"], _TRANSFER_COMMENTS),
    ):
        for key, text in comments.items():
            _comment(node, key, text)
    written = io.StringIO()
    params_writer().dump(tree, written)
    return _HEAD + re.sub(r"\n(?=[a-z])", "\n\n", written.getvalue().rstrip("\n")) + "\n"


def _styled(value: Any) -> Any:
    """Return maps and lists for ruamel: on one line those that are short, and lists of the package's own."""
    if isinstance(value, list):
        return _on_one_line(CommentedSeq(value))
    if not isinstance(value, Mapping):
        return value
    node = CommentedMap({name: _styled(each) for name, each in value.items()})
    holds_more = any(isinstance(each, Mapping) for each in value.values()) or not _OVER_LINES.isdisjoint(value)
    return node if holds_more or len(json.dumps(value)) > _LINE else _on_one_line(node)


def _on_one_line(node: Any) -> Any:
    node.fa.set_flow_style()
    return node


def _comment(node: CommentedMap, key: str, text: str) -> None:
    if key in node:
        node.yaml_add_eol_comment(text, key, column=_COLUMN)
