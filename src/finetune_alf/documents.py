"""Documents: what stages write as JSON for other stages and the report, and the parts that several of them share."""

import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from finetune_alf.errors import InputError
from finetune_alf.json_files import read_json, read_jsonl, write_json
from finetune_alf.paths import way_out_of
from finetune_alf.spec import first_fault


class Document(BaseModel):
    """A document, or a part of one; keys of another version of the package are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, value: object, where: str, way_out: str = "Run the stage that writes it again.") -> Self:
        """Return the document that this JSON stands for; InputError names the first key that is wrong."""
        try:
            return cls.model_validate_json(json.dumps(value))
        except (ValidationError, InputError) as error:
            fault = first_fault(error) if isinstance(error, ValidationError) else str(error)
            raise InputError(f"{where}: must be as its stage writes it, but got {fault}. {way_out}") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a document; InputError names the file, what is wrong with it, and which command writes it again."""
        return cls.parse(read_json(path), str(path), way_out_of(path))

    @classmethod
    def read_lines(cls, path: Path, *, is_whole: bool = True) -> tuple[Self, ...]:
        """Read a file of documents, one a line; InputError names file and line.

        A file whose stage goes on, or was stopped, need not be whole.
        """
        rows, way_out = read_jsonl(path, is_whole=is_whole), way_out_of(path)
        return tuple(cls.parse(row, f"{path}:{line}", way_out) for line, row in enumerate(rows, start=1))

    def write(self, path: Path) -> None:
        """Write the document with its checksum, whole or not at all."""
        write_json(path, self.as_json())

    def as_json(self) -> dict[str, Any]:
        """Return the document as JSON has it."""
        return self.model_dump(mode="json")


class Estimate(Document):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


class EncoderIdentity(Document):
    """Which encoder was fitted, exactly."""

    name: str
    identity: str
    n_layers: int


class SampleIdentity(Document):
    """Which sample was fitted on, exactly; `counts` is rows by split and class, where the stage wrote them down."""

    name: str
    digest: str
    counts: dict[str, dict[str, int]] | None = None
