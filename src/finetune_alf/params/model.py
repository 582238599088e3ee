"""Params: the specs of all packages as one record, and what must agree between them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from finetune_alf.data.spec import AnySampleSpec
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.experiments.multitask.spec import MultitaskSpec
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.experiments.transfer.spec import TransferSpec
from finetune_alf.params.labels import strange_metrics
from finetune_alf.params.nearest import did_you_mean
from finetune_alf.paths import Name
from finetune_alf.register.spec import RegisterSpec
from finetune_alf.spec import Spec
from finetune_alf.study.spec import ImportanceSpec, StudySpec

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
    samples: Annotated[dict[Name, AnySampleSpec], Field(min_length=1)]
    studies: dict[Name, StudySpec] = Field(default_factory=dict)
    importance: ImportanceSpec = ImportanceSpec()
    register_: RegisterSpec = Field(default=RegisterSpec(), alias="register")
    transfer: TransferSpec = TransferSpec()
    freeze: dict[Name, FreezeSpec] = Field(default_factory=dict)
    schemes: dict[Name, SchemesSpec] = Field(default_factory=dict)
    multitask: dict[Name, MultitaskSpec] = Field(default_factory=dict)
    adapt: dict[Name, AdaptSpec] = Field(default_factory=dict)
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
            yield from _strange_tasks(("studies", name, "recipe", "tasks"), study, samples)
            yield from _empty_splits(f"studies.{name}", study.get("sample"), ["validation"], samples)
    for key, name, experiment in _experiments(raw):
        yield from _unknown((key, name, "encoder"), experiment.get("encoder"), "encoders", encoders)
        yield from _unknown_each((key, name, "samples"), experiment.get("samples"), "samples", samples)
        given = experiment.get("samples")
        for sample in given if isinstance(given, list) else ():
            yield from _too_large((key, name, "recipe", "batch"), {**experiment, "sample": sample}, samples)
            yield from _empty_splits(f"{key}.{name}", sample, ["validation"], samples)
    for name, mix in _section(raw, "multitask").items():
        if isinstance(mix, dict):
            yield from _unknown(("multitask", name, "encoder"), mix.get("encoder"), "encoders", encoders)
            yield from _unknown(("multitask", name, "sample"), mix.get("sample"), "samples", samples)
            yield from _strange_tasks(("multitask", name, "recipe", "tasks"), mix, samples)
            needed = ["validation", str(mix.get("score_on", "test"))]
            yield from _empty_splits(f"multitask.{name}", mix.get("sample"), needed, samples)
    yield from _adapted(_section(raw, "adapt"), encoders, samples)
    yield from strange_metrics(raw, studies, samples)
    transfer = _section(raw, "transfer")
    for key, section in (("studies", studies), ("samples", samples)):
        yield from _unknown_each(("transfer", key), transfer.get(key), key, section)
    for name in studies:
        if name in _listed(transfer, "studies") and _tasks_of(str(_section(studies, name).get("sample")), samples):
            yield ("transfer", "studies"), f"must name studies of one task, but that of {name} is a mixture of several"


def _listed(section: Mapping[str, Any], key: str) -> list[Any]:
    entries = section.get(key)
    return entries if isinstance(entries, list) else []


def _experiments(raw: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield those that name an encoder and several samples, with the key of their section."""
    for key in ("freeze", "schemes"):
        for name, experiment in _section(raw, key).items():
            if isinstance(experiment, dict):
                yield key, name, experiment


def _adapted(adapt: dict[str, Any], encoders: dict[str, Any], samples: dict[str, Any]) -> Iterator[Disagreement]:
    """Yield adaptations of what is not there or has no texts to read with, and encoders by adaptations not there."""
    for name, encoder in encoders.items():
        if isinstance(encoder, dict) and encoder.get("kind") == "adapted":
            yield from _unknown(("encoders", name, "adapt"), encoder.get("adapt"), "adapt", adapt)
    for name, spec in adapt.items():
        if not isinstance(spec, dict):
            continue
        yield from _unknown(("adapt", name, "encoder"), spec.get("encoder"), "encoders", encoders)
        yield from _unknown(("adapt", name, "sample"), spec.get("sample"), "samples", samples)
        yield from _too_large(("adapt", name, "recipe", "batch"), spec, samples)
        kind = _section(encoders, str(spec.get("encoder"))).get("kind")
        if kind in ("adapted", "random"):
            yield ("adapt", name, "encoder"), f"must be a checkpoint with its own tokenizer, but {kind} was named"
        if spec.get("recipe") is not None and _tasks_of(str(spec.get("sample")), samples):
            yield ("adapt", name, "recipe"), f"must go with a sample of one task, but {spec['sample']} is a mixture"


def _section(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    section = raw.get(key)
    return section if isinstance(section, dict) else {}


def _unknown(path: tuple[str | int, ...], name: object, key: str, section: Mapping[str, Any]) -> Iterator[Disagreement]:
    if isinstance(name, str) and name not in section:
        there = ", ".join(section) or "none there"
        yield path, f"must be an entry of {key} ({there}), but got {name}{did_you_mean(name, section)}"


def _unknown_each(
    path: tuple[str | int, ...], names: object, key: str, section: Mapping[str, Any]
) -> Iterator[Disagreement]:
    entries: list[Any] = names if isinstance(names, list) else []
    for index, entry in enumerate(entries):
        yield from _unknown((*path, index), entry, key, section)
        if entry in entries[:index]:
            yield (*path, index), f"must name {entry} once, but names it again"
        if isinstance(entry, str) and _tasks_of(entry, section):
            yield (*path, index), f"must name what has one task, but {entry} is a mixture of several"


def _tasks_of(name: str, samples: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mixture's tasks; none for a plain sample, or for what is no sample."""
    return _section(_section(samples, name), "tasks")


def _strange_tasks(
    path: tuple[str, ...], asked: Mapping[str, Any], samples: Mapping[str, Any]
) -> Iterator[Disagreement]:
    """Yield the tasks that a recipe names and its sample does not have, or that it must name and does not."""
    name = str(asked.get("sample"))
    there, given = _tasks_of(name, samples), _section(asked, "recipe").get("tasks")
    if there and given is None:
        yield path, f"must be given, `tasks: {{}}` for the defaults, since sample {name} is a mixture, but is missing"
    for task in _section(given, "each") if name in samples and isinstance(given, dict) else ():
        where = f"samples.{name}.tasks" if there else f"the tasks of sample {name}"
        yield from _unknown((*path, "each", task), task, where, there or {name: None})


def _empty_splits(what: str, name: object, splits: Iterable[str], samples: Mapping[str, Any]) -> Iterator[Disagreement]:
    """Yield the numbers of rows that are 0 though the fits of `what` are watched or scored on them."""
    own, path = _section(samples, str(name)), ("samples", str(name))
    tasks = _section(own, "tasks")
    each: dict[tuple[str, ...], Any] = {(*path, "tasks", task): spec for task, spec in tasks.items()}
    for place, spec in (each or {path: own}).items():
        for key in dict.fromkeys(f"n_{split}" for split in splits):
            if isinstance(spec, dict) and spec.get(key) == 0:
                yield (*place, key), f"must be above 0, since {what} is scored on these rows, but got 0"


def _too_large(path: tuple[str, ...], study: Mapping[str, Any], samples: Mapping[str, Any]) -> Iterator[Disagreement]:
    batch = _section(study, "recipe").get("batch")
    name = study.get("sample")
    n_train = _section(samples, name).get("n_train") if isinstance(name, str) else None
    if isinstance(batch, int) and isinstance(n_train, int) and batch > n_train:
        yield path, f"must be at most the n_train of sample {name}, {n_train}, but got {batch}"
