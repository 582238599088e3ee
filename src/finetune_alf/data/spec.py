"""What is asked of a sample: where its rows come from and how many of them go into each split."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from finetune_alf.spec import Spec

GivenSplit = Literal["train", "validation", "test"]
Column = Annotated[str, Field(min_length=1)]
TextColumns = Column | tuple[Column, Column]
"""One column of texts, or two for a task over pairs."""


class HubSource(Spec):
    """A data set of the Hugging Face hub at one revision; a commit of 40 hex digits is checked."""

    kind: Literal["hub"] = "hub"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
    config: str | None = None
    revision: Annotated[str, Field(min_length=1)]
    text: TextColumns
    label: Column
    splits: Mapping[GivenSplit, str] | None = None
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


SourceSpec = Annotated[HubSource | FilesSource | MiniSource, Field(discriminator="kind")]


class SampleSpec(Spec):
    """How many rows to draw for each split, under one seed.

    `max_train_frac` holds the training split to a small part of all rows, as the thesis has it (under 10 %, chapter 3).
    """

    source: SourceSpec
    n_train: PositiveInt
    n_validation: NonNegativeInt
    n_confirmation: NonNegativeInt
    n_test: NonNegativeInt
    seed: NonNegativeInt = 0
    max_train_frac: Annotated[float, Field(gt=0, le=1)] = 0.1

    @model_validator(mode="after")
    def _hub_splits_start_with_train(self) -> Self:
        splits = self.source.splits if isinstance(self.source, HubSource) else None
        if splits is not None and "train" not in splits:
            raise ValueError("source.splits: must name train, the split that training texts are drawn from")
        return self

    def n_of(self, split: str) -> int:
        """Return the number of rows asked for in one split."""
        return int(getattr(self, f"n_{split}"))
