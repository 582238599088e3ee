"""The base class and shared field types of all specs, and the first fault of a record that does not validate."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

Count = Annotated[int, Field(ge=1)]
"""A number of things of which there must be one."""

MAX_RATE = 1.0
"""The highest learning rate anywhere: no optimizer here trains at a higher one, so that it is a slip or hostile."""

Rate = Annotated[float, Field(ge=0, le=MAX_RATE)]
"""A learning rate; 0 freezes."""

MIN_RATE = 2.0**-126
"""The lowest rate of a range: float32, in which weights are kept, has no smaller number of full precision."""


def _not_below_float32(rate: float) -> float:
    if rate < MIN_RATE:
        raise ValueError(f"must be at least {MIN_RATE:.2g}, the smallest number of float32, but got {rate:g}")
    return rate


PositiveRate = Annotated[float, Field(gt=0, le=MAX_RATE), AfterValidator(_not_below_float32)]
"""A learning rate at which something learns."""


def _label_name(given: Any) -> Any:
    if isinstance(given, bool):
        return str(given).lower()
    return str(given) if isinstance(given, int) else given


LabelName = Annotated[str, BeforeValidator(_label_name), Field(min_length=1)]
"""A class as it is in the source; YAML reads 1 and true as other types."""


PERMISSION = "permission"
"""Marks a field, `Annotated[bool, PERMISSION]`, that only says what is allowed: it is in no identity."""

NOTE = "note"
"""Marks a field, `Annotated[T, NOTE]`, that only describes others: it is in no identity."""

ADDED_LATER = "added later"
"""Marks a field, `Annotated[T, ADDED_LATER]`, that results are older than: an identity leaves it out at its default."""


class Spec(BaseModel):
    """A frozen pydantic model: no unknown keys, no coercion, no NaN.

    Read data of files with `model_validate_json`, which takes JSON arrays for tuples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


def first_fault(error: ValidationError) -> str:
    """Return the field and message of the first fault of a file."""
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
