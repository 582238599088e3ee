"""The specs of sources: where rows come from, and which of their columns are text and label."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from finetune_alf.data.glue import GLUE, REVISION, GlueName
from finetune_alf.data.readers.format import LABEL_SEPARATOR, Column, FileFormat, LabelColumns, label_columns
from finetune_alf.data.readers.numbers import DecimalMark
from finetune_alf.data.text_columns import TextColumns, columns_of
from finetune_alf.metric_names import ProblemType
from finetune_alf.spec import ADDED_LATER, Spec

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

    Several classes of a row are a list, one string with `label_separator` between them, or several columns of 0 and 1,
    each called as its class.
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
    label: LabelColumns
    """The column of the label, or one of 0 and 1 for each class."""
    label_separator: Annotated[str, Field(min_length=1), ADDED_LATER] = LABEL_SEPARATOR
    decimal: Annotated[DecimalMark, ADDED_LATER] = "."
    """The decimal mark of labels that are scores."""


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


SourceSpec = Annotated[HubSource | FilesSource | MiniSource | GlueSource, Field(discriminator="kind")]


def check_distinct_columns(source: SourceSpec) -> None:
    """Raise ValueError where a source takes text and label, or two texts, from one column."""
    if isinstance(source, MiniSource):
        return
    own = GLUE[source.task] if isinstance(source, GlueSource) else source
    text, label = source.text or own.text, source.label or own.label
    texts, labels = columns_of(text), label_columns(label)
    for name in labels:
        if name in texts:
            raise ValueError(f"source.label: must be another column than the text, but got {name!r} for both")
    if len(set(labels)) < len(labels):
        raise ValueError(f"source.label: must name different columns, but got {', '.join(map(repr, labels))}")
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
