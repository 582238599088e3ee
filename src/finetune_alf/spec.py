"""The base class of every spec, and the first fault of a record that does not validate."""

from pydantic import BaseModel, ConfigDict, ValidationError


class Spec(BaseModel):
    """A frozen pydantic model: no unknown keys, no coercion, no NaN.

    Read data of files with `model_validate_json`, which takes JSON arrays for tuples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


def first_fault(error: ValidationError) -> str:
    """Return the field and message of the first fault of a file."""
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
