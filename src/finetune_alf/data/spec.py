"""The specs of samples and mixtures: the source of the rows, their classes, and the number of rows of each split."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, NonNegativeInt, PositiveInt, Tag, model_validator

from finetune_alf.data.source_spec import (
    FilesSource,
    HubSource,
    MiniSource,
    SourceSpec,
    check_distinct_columns,
    glue_problem_type,
)
from finetune_alf.metric_names import ProblemType
from finetune_alf.paths import Name
from finetune_alf.spec import ADDED_LATER, LabelName, Spec


class LabelsSpec(Spec):
    """Which classes of a source are one, and which are left out.

    `map` gives classes other names, or the name of another class. Then `drop` leaves out classes, and `min_rows` those
    with fewer rows in all splits of the source together; a row that can have several classes keeps the others.
    """

    map: dict[LabelName, LabelName] = Field(default_factory=dict)
    drop: Annotated[tuple[LabelName, ...], Field(strict=False)] = ()
    min_rows: PositiveInt | None = None


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
    def _label_columns_suit_problem_type(self) -> Self:
        several = isinstance(self.source, FilesSource) and isinstance(self.source.label, tuple)
        if several and self.problem_type != "multi_label":
            raise ValueError(
                f"problem_type: must be multi_label where source.label has several columns, but got {self.problem_type}"
            )
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
