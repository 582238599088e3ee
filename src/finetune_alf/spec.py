"""What every spec of the package has in common."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen, closed record: no unknown key, no coercion, no NaN.

    Data from outside comes in through `model_validate_json`, where lists stand for tuples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)
