"""The specs of samples: the source of the rows, and the number of rows of each split."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, NonNegativeInt, PositiveInt, Tag, TypeAdapter, model_validator

from finetune_alf.data.glue import GLUE, REVISION, GlueName
from finetune_alf.data.readers.format import LABEL_SEPARATOR, Column, FileFormat
from finetune_alf.data.text_columns import TextColumns, columns_of
from finetune_alf.metrics import ProblemType
from finetune_alf.paths import Name
from finetune_alf.spec import ADDED_LATER, LabelName, Spec

SourceSplit = Literal["train", "validation", "test"]


class HubSource(Spec):
    """A data set of the Hugging Face hub at one revision; the download of a full commit hash is verified."""

    kind: Literal["hub"] = "hub"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
    """The name of the data set on the hub."""
    config: str | None = None
    """Its configuration, where it has several."""
    revision: Annotated[str, Field(min_length=1)]
    """The commit, tag or branch."""
    text: TextColumns
    """The column of the text, or two for pairs."""
    label: Column
    """The column of the label."""
    splits: Mapping[SourceSplit, str] | None = None
    """The data set's own names of the splits; by default train, validation and test."""
    label_separator: Annotated[str, Field(min_length=1), ADDED_LATER] = LABEL_SEPARATOR
    """What stands between several classes in one string."""


class FilesSource(FileFormat):
    """CSV, TSV, JSON Lines, Parquet or text files, also compressed as `.gz`; `${VAR}` is expanded in paths only.

    Several classes of a row are a list, or one string with `label_separator` between them.
    """

    kind: Literal["files"] = "files"
    train: Annotated[str, Field(min_length=1)]
    """The file of training rows; splits without a file are drawn from it."""
    validation: Annotated[str, Field(min_length=1)] | None = None
    """The file of validation rows."""
    test: Annotated[str, Field(min_length=1)] | None = None
    """The file of test rows."""
    text: TextColumns
    """The column of the text, or two for pairs."""
    label: Column
    """The column of the label."""
    label_separator: Annotated[str, Field(min_length=1), ADDED_LATER] = LABEL_SEPARATOR


class MiniSource(Spec):
    """One domain of the corpus in this package."""

    kind: Literal["mini"] = "mini"
    domain: Literal["films", "restaurants", "gadgets", "travel"]
    """Which of the four sets of reviews."""


class GlueSource(FileFormat):
    """A task of the GLUE benchmark by name, with the columns, classes and metrics of `data/glue.py`.

    Rows are from the hub, or from the folder `files` with the files train and, optionally, validation and test. `text`
    and `label` are for files with other column names, and the settings of the format for files alone.
    """

    kind: Literal["glue"] = "glue"
    task: GlueName
    """The name of the task."""
    files: Annotated[str, Field(min_length=1)] | None = None
    text: TextColumns | None = None
    label: Column | None = None
    revision: Annotated[str, Field(min_length=1)] = REVISION
    """The commit of the data set on the hub."""

    @model_validator(mode="after")
    def _format_is_of_files(self) -> Self:
        if self.files is None and (given := self.format_settings()):
            raise ValueError(f"{next(iter(given))}: must be absent without files, but got {next(iter(given.values()))}")
        return self

    @model_validator(mode="after")
    def _text_suits_task(self) -> Self:
        own = GLUE[self.task].text
        if self.text is not None and isinstance(self.text, tuple) != isinstance(own, tuple):
            n_columns = "two columns" if isinstance(own, tuple) else "one column"
            raise ValueError(f"text: must name {n_columns} for {self.task}, but got {self.text!r}")
        return self


class LabelsSpec(Spec):
    """Which classes of a source are one, and which are left out.

    `map` gives classes other names, or the name of another class. Then `drop` leaves out classes, and `min_rows` those
    with fewer rows in all splits of the source together; a row that can have several classes keeps the others.
    """

    map: dict[LabelName, LabelName] = Field(default_factory=dict)
    drop: Annotated[tuple[LabelName, ...], Field(strict=False)] = ()
    min_rows: PositiveInt | None = None


SourceSpec = Annotated[HubSource | FilesSource | MiniSource | GlueSource, Field(discriminator="kind")]
All = Literal["all"]
OnEmpty = Literal["error", "drop"]
Balance = Literal["even", "natural"]
TrainOn = Literal["train", "all"]
"""What a classifier for use is trained on: the training split, or all labelled texts but those of the test."""


class SampleSpec(Spec):
    """The source of a sample, the number of rows of each split, and the seed of the drawing.

    `problem_type` is that of the labels; a GLUE task sets it. Train, validation and confirmation have equally many rows
    of each class (`balance: even`) or the proportions of the source (`natural`), as test always has. Rows that can have
    several classes (`multi_label`) are drawn by chance alone, which is natural. `all` is every row that the other
    splits leave. `max_train_frac` limits the training split to a fraction of all rows, as in the thesis (under 10 %,
    chapter 3). A row without text or label is an error, or left out and counted (`on_empty: drop`).
    """

    source: SourceSpec
    """Where the rows come from."""
    problem_type: ProblemType = "classification"
    n_train: PositiveInt | All
    """The rows to train on."""
    n_validation: NonNegativeInt | All
    """The rows that score trials."""
    n_confirmation: NonNegativeInt | All
    """The rows that score the best trials again."""
    n_test: NonNegativeInt | All
    """The rows that score schemes at the end."""
    balance: Balance = "even"
    seed: NonNegativeInt = 0
    max_train_frac: Annotated[float, Field(gt=0, le=1)] = 0.1
    labels: Annotated[LabelsSpec, ADDED_LATER] = LabelsSpec()
    """Classes that are joined or left out."""
    on_empty: Annotated[OnEmpty, ADDED_LATER] = "error"

    @model_validator(mode="before")
    @classmethod
    def _set_what_follows(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        own = glue_problem_type(given.get("source"))
        by_type: dict[str, str] = {"problem_type": own} if own else {}
        if given.get("problem_type") == "multi_label":
            by_type["balance"] = "natural"
        return {**by_type, **given} if by_type else given

    @model_validator(mode="after")
    def _splits_include_train(self) -> Self:
        splits = self.source.splits if isinstance(self.source, HubSource) else None
        if splits is not None and "train" not in splits:
            raise ValueError("source.splits: must include train, the split of the training texts")
        return self

    @model_validator(mode="after")
    def _problem_type_suits_source(self) -> Self:
        own = "classification" if isinstance(self.source, MiniSource) else glue_problem_type(self.source)
        if own not in (None, self.problem_type):
            raise ValueError(f"problem_type: must be {own} for this source, but got {self.problem_type}")
        return self

    @model_validator(mode="after")
    def _labels_are_classes(self) -> Self:
        if self.problem_type == "regression" and self.labels != LabelsSpec():
            raise ValueError("labels: must be absent where problem_type is regression, since scores have no classes")
        return self

    @model_validator(mode="after")
    def _several_classes_have_no_balance(self) -> Self:
        if self.problem_type == "multi_label" and self.balance != "natural":
            raise ValueError(
                f"balance: must be natural where problem_type is multi_label, since a row counts for all of its "
                f"classes, but got {self.balance}"
            )
        return self

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        check_distinct_columns(self.source)
        return self

    @model_validator(mode="after")
    def _all_is_possible(self) -> Self:
        every = [f"n_{split}" for split in ("train", "validation", "confirmation") if self.n_of(split) == "all"]
        if every and self.balance == "even" and self.problem_type == "classification":
            raise ValueError(f"{every[0]}: must be a number where balance is even, but got all; set balance to natural")
        if self.n_train == "all" and self.max_train_frac < 1:
            raise ValueError(
                f"max_train_frac: must be 1 where n_train is all, but got {self.max_train_frac:g}; set it to 1"
            )
        return self

    def n_of(self, split: str) -> int | All:
        """Return the number of rows of one split."""
        n: int | All = getattr(self, f"n_{split}")
        return n


def check_distinct_columns(source: SourceSpec) -> None:
    """Raise ValueError where a source takes text and label, or two texts, from one column."""
    if isinstance(source, MiniSource):
        return
    own = GLUE[source.task] if isinstance(source, GlueSource) else source
    text, label = source.text or own.text, source.label or own.label
    texts = columns_of(text)
    if label in texts:
        raise ValueError(f"source.label: must be another column than the text, but got {label!r} for both")
    if len(set(texts)) < len(texts):
        raise ValueError(f"source.text: must name different columns, but got {', '.join(map(repr, texts))}")


def text_columns_of(source: Mapping[str, Any]) -> TextColumns | None:
    """Return the columns of the text of a source as cards have it; None where it names none."""
    glue = GLUE[source["task"]].text if source.get("kind") == "glue" else None
    own = source.get("text") or glue or ("text" if source.get("kind") == "mini" else None)
    return own and TypeAdapter[TextColumns](TextColumns).validate_python(own)


def glue_problem_type(source: object) -> ProblemType | None:
    """Return the problem type of a GLUE source, validated or raw; None for any other source."""
    raw = source.model_dump() if isinstance(source, GlueSource) else source
    task = raw.get("task") if isinstance(raw, Mapping) and raw.get("kind") == "glue" else None
    return GLUE[task].problem_type if isinstance(task, str) and task in GLUE else None


RESERVED_TASK_NAMES = ("overall", "score", "loss", "accuracy")
"""Keys of results that are next to the names of tasks, so that no task can have them."""


class MixtureSpec(Spec):
    """A mixture: one independently drawn sample for each task, whose names are also those of heads and scores."""

    tasks: Annotated[dict[Name, SampleSpec], Field(min_length=1)]
    """The samples by the names of their tasks."""

    @model_validator(mode="after")
    def _one_label_a_row(self) -> Self:
        for name, task in self.tasks.items():
            if task.problem_type == "multi_label":
                raise ValueError(
                    f"tasks.{name}.problem_type: must be classification or regression in a mixture, but got "
                    f"multi_label; a sample whose rows have several classes is fitted by itself"
                )
        return self

    @model_validator(mode="after")
    def _no_reserved_names(self) -> Self:
        if reserved := [name for name in self.tasks if name in RESERVED_TASK_NAMES]:
            raise ValueError(
                f"tasks: must not have the names {', '.join(RESERVED_TASK_NAMES)}, but got {', '.join(reserved)}"
            )
        return self


def _tag_of(given: object) -> str:
    return "mixture" if isinstance(given, MixtureSpec) or (isinstance(given, dict) and "tasks" in given) else "sample"


AnySampleSpec = Annotated[
    Annotated[SampleSpec, Tag("sample")] | Annotated[MixtureSpec, Tag("mixture")], Discriminator(_tag_of)
]
"""One sample or a mixture, which has `tasks`."""
