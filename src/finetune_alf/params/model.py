"""Params: the specs of all packages as one record, and what must agree between them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from finetune_alf.data.spec import SampleSpec
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.params.nearest import did_you_mean
from finetune_alf.paths import Name
from finetune_alf.register.spec import RegisterSpec
from finetune_alf.spec import Spec
from finetune_alf.study.spec import ImportanceSpec, StudySpec
from finetune_alf.transfer.spec import TransferSpec

Count = Annotated[int, Field(ge=1)]
Disagreement = tuple[tuple[str | int, ...], str]
"""Where in params.yaml, and what is wrong there."""


class ComputeSpec(Spec):
    """Where fits run: the device, how many at once, and threads for each (all cores, shared out, unless named).

    `n_workers` is how many processes fit beside one another. `n_fused` is how many trials that differ in rates alone
    one process takes through a single batched forward pass: faster on a GPU that one small encoder leaves idle, the
    same training but for rounding, and as many times the memory. A sampler then proposes as many trials at a time.
    """

    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda:\d{1,3})$")] = "auto"
    n_workers: Count = 1
    n_fused: Count = 1
    n_threads: Count | None = None

    @model_validator(mode="after")
    def _fuse_in_one_process(self) -> Self:
        if self.n_fused > 1 and self.n_workers > 1:
            raise ValueError(f"n_fused must be 1 with more than one worker, but got {self.n_fused}; set n_workers to 1")
        return self


class TrackingSpec(Spec):
    """The MLflow store: a server's http(s) URI or sqlite:///FILE; without one, `mlruns/mlflow.db` below the root."""

    uri: str | None = None
    experiment: Annotated[str, Field(min_length=1, max_length=200)] = "finetune_alf"


class ReportSpec(Spec):
    """What stands above the report."""

    title: Annotated[str, Field(min_length=1, max_length=200)] = "Adaptive layer freezing"


class Params(Spec):
    """All that params.yaml says. `register` is spelt `register_` in Python, where the plain word is taken."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    compute: ComputeSpec = ComputeSpec()
    tracking: TrackingSpec = TrackingSpec()
    encoders: Annotated[dict[Name, EncoderSpec], Field(min_length=1)]
    samples: Annotated[dict[Name, SampleSpec], Field(min_length=1)]
    studies: Annotated[dict[Name, StudySpec], Field(min_length=1)]
    importance: ImportanceSpec = ImportanceSpec()
    register_: RegisterSpec = Field(default=RegisterSpec(), alias="register")
    transfer: TransferSpec
    report: ReportSpec = ReportSpec()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        found = list(disagreements(self.model_dump(mode="json", by_alias=True)))
        if found:
            lines = [f"{'.'.join(map(str, path))}: {message}" for path, message in found]
            raise PydanticCustomError("disagreement", "{text}", {"text": "\n".join(lines)})
        return self


def disagreements(raw: Mapping[str, Any]) -> Iterator[Disagreement]:
    """Yield what does not fit together between sections of parameters as read, whatever else is wrong with them."""
    encoders, samples, studies = (_section(raw, key) for key in ("encoders", "samples", "studies"))
    for name, study in studies.items():
        if isinstance(study, dict):
            yield from _unknown(("studies", name, "encoder"), study.get("encoder"), "encoders", encoders)
            yield from _unknown(("studies", name, "sample"), study.get("sample"), "samples", samples)
            yield from _too_large(("studies", name, "recipe", "batch"), study, samples)
    transfer = _section(raw, "transfer")
    for key, section in (("studies", studies), ("samples", samples)):
        given = transfer.get(key)
        entries: list[Any] = given if isinstance(given, list) else []
        for index, entry in enumerate(entries):
            yield from _unknown(("transfer", key, index), entry, key, section)
            if entry in entries[:index]:
                yield ("transfer", key, index), f"must name {entry} once, but names it again"


def _section(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    section = raw.get(key)
    return section if isinstance(section, dict) else {}


def _unknown(path: tuple[str | int, ...], name: object, key: str, section: Mapping[str, Any]) -> Iterator[Disagreement]:
    if isinstance(name, str) and name not in section:
        there = ", ".join(section) or "none there"
        yield path, f"must be an entry of {key} ({there}), but got {name}{did_you_mean(name, section)}"


def _too_large(path: tuple[str, ...], study: Mapping[str, Any], samples: Mapping[str, Any]) -> Iterator[Disagreement]:
    batch = _section(study, "recipe").get("batch")
    name = study.get("sample")
    n_train = _section(samples, name).get("n_train") if isinstance(name, str) else None
    if isinstance(batch, int) and isinstance(n_train, int) and batch > n_train:
        yield path, f"must be at most the n_train of sample {name}, {n_train}, but got {batch}"
