"""The base class of every spec."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen pydantic model: no unknown keys, no coercion, no NaN.

    Read data of files with `model_validate_json`, which takes JSON arrays for tuples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)
