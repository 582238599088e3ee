"""What is asked of a sample: where its rows come from and how many of them go into each split."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, NonNegativeInt, PositiveInt, Tag, model_validator

from finetune_alf.data.glue import GLUE, REVISION, GlueName
from finetune_alf.metrics import LabelKind
from finetune_alf.paths import Name
from finetune_alf.spec import Spec

SourceSplit = Literal["train", "validation", "test"]
Column = Annotated[str, Field(min_length=1)]
TextColumns = Column | Annotated[tuple[Column, Column], Field(strict=False)]
"""One column of texts, or two for a task over pairs; not strict, for a list is what a validator before it is given."""


class HubSource(Spec):
    """A data set of the Hugging Face hub at one revision; a commit of 40 hex digits is checked."""

    kind: Literal["hub"] = "hub"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
    config: str | None = None
    revision: Annotated[str, Field(min_length=1)]
    text: TextColumns
    label: Column
    splits: Mapping[SourceSplit, str] | None = None
    """Which of the set's own splits to use; without it those named train, validation and test."""


class FilesSource(Spec):
    """CSV, TSV, JSON Lines or Parquet files; `${VAR}` expands in their paths and nowhere else."""

    kind: Literal["files"] = "files"
    train: Annotated[str, Field(min_length=1)]
    validation: Annotated[str, Field(min_length=1)] | None = None
    test: Annotated[str, Field(min_length=1)] | None = None
    text: TextColumns
    label: Column


class MiniSource(Spec):
    """One domain of the corpus that ships with this package."""

    kind: Literal["mini"] = "mini"
    domain: Literal["films", "restaurants", "gadgets", "travel"]


class GlueSource(Spec):
    """A task of the GLUE benchmark by its name: `data/glue.py` knows columns, classes and metrics.

    Out of the hub, or out of the folder `files`, with a file for train and, where there are such, validation and test.
    `text` and `label` are for files that call their columns otherwise.
    """

    kind: Literal["glue"] = "glue"
    task: GlueName
    files: Annotated[str, Field(min_length=1)] | None = None
    text: TextColumns | None = None
    label: Column | None = None
    revision: Annotated[str, Field(min_length=1)] = REVISION

    @model_validator(mode="after")
    def _as_many_texts(self) -> Self:
        own = GLUE[self.task].text
        if self.text is not None and isinstance(self.text, str) != isinstance(own, str):
            n_columns = "one column" if isinstance(own, str) else "two columns"
            raise ValueError(f"text: must name {n_columns} for {self.task}, but got {self.text!r}")
        return self


SourceSpec = Annotated[HubSource | FilesSource | MiniSource | GlueSource, Field(discriminator="kind")]
All = Literal["all"]


class SampleSpec(Spec):
    """How many rows to draw for each split, under one seed.

    `task` says what the labels are; a GLUE task knows it. Classes are drawn for training, validation and confirmation
    equally often (`balance: even`) or as often as the source has them (`natural`); for test always as the source has
    them. A number of `all` takes the rows that the other splits leave. `max_train_frac` holds the training split to a
    small part of all rows, as the thesis has it (under 10 %, chapter 3).
    """

    source: SourceSpec
    task: LabelKind = "classes"
    n_train: PositiveInt | All
    n_validation: NonNegativeInt | All
    n_confirmation: NonNegativeInt | All
    n_test: NonNegativeInt | All
    balance: Literal["even", "natural"] = "even"
    seed: NonNegativeInt = 0
    max_train_frac: Annotated[float, Field(gt=0, le=1)] = 0.1

    @model_validator(mode="before")
    @classmethod
    def _glue_knows_its_task(cls, given: Any) -> Any:
        kind = glue_kind(given.get("source")) if isinstance(given, Mapping) else None
        return {"task": kind, **given} if kind else given

    @model_validator(mode="after")
    def _hub_splits_start_with_train(self) -> Self:
        splits = self.source.splits if isinstance(self.source, HubSource) else None
        if splits is not None and "train" not in splits:
            raise ValueError("source.splits: must name train, the split that training texts are drawn from")
        return self

    @model_validator(mode="after")
    def _source_has_such_labels(self) -> Self:
        own = "classes" if isinstance(self.source, MiniSource) else glue_kind(self.source)
        if own not in (None, self.task):
            raise ValueError(f"task: must be {own}, as the labels of this source are, but got {self.task}")
        return self

    @model_validator(mode="after")
    def _all_can_be_drawn(self) -> Self:
        every = [f"n_{split}" for split in ("train", "validation", "confirmation") if self.n_of(split) == "all"]
        if every and self.balance == "even" and self.task == "classes":
            raise ValueError(
                f"{every[0]}: must be a number where classes are drawn evenly, but got all; set balance to natural"
            )
        if self.n_train == "all" and self.max_train_frac < 1:
            raise ValueError(
                f"max_train_frac: must be 1 where n_train is all, but got {self.max_train_frac:g}; set it to 1"
            )
        return self

    def n_of(self, split: str) -> int | All:
        """Return the number of rows asked for in one split."""
        n: int | All = getattr(self, f"n_{split}")
        return n


def glue_kind(source: object) -> LabelKind | None:
    """Return what the labels of a GLUE source are, a spec or still raw; None for any other source."""
    raw = source.model_dump() if isinstance(source, GlueSource) else source
    task = raw.get("task") if isinstance(raw, Mapping) and raw.get("kind") == "glue" else None
    return GLUE[task].kind if isinstance(task, str) and task in GLUE else None


RESERVED_TASK_NAMES = ("overall", "score", "loss", "accuracy")
"""What stands beside the tasks' names where results are told: no task's name."""


class MixtureSpec(Spec):
    """A sample of several tasks: a sample for each, drawn by itself. A task's name is that of its head and scores."""

    tasks: Annotated[dict[Name, SampleSpec], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        if taken := [name for name in self.tasks if name in RESERVED_TASK_NAMES]:
            raise ValueError(
                f"tasks: must not be called {', '.join(RESERVED_TASK_NAMES)} as results are, but got {', '.join(taken)}"
            )
        return self


def _kind_of_sample(given: object) -> str:
    return "mixture" if isinstance(given, MixtureSpec) or (isinstance(given, dict) and "tasks" in given) else "sample"


AnySampleSpec = Annotated[
    Annotated[SampleSpec, Tag("sample")] | Annotated[MixtureSpec, Tag("mixture")], Discriminator(_kind_of_sample)
]
"""One sample or a mixture, told apart by whether it has `tasks`."""
