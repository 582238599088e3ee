"""Params: the specs of all packages as one record, and what must agree between them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from finetune_alf.compute import ComputeSpec
from finetune_alf.data.spec import AnySampleSpec
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import InputError
from finetune_alf.params.checks import UNNAMED_PROJECT, Disagreement, RawParams, check_study
from finetune_alf.params.section import Section, field_of
from finetune_alf.paths import Name
from finetune_alf.register.spec import RegisterSpec
from finetune_alf.spec import Spec
from finetune_alf.study.spec import ImportanceSpec, StudySpec, StudyStoreSpec

RANDOM_PROJECT = "auto"
"""As the name of a project: a random one, kept in the project's folder."""


class TrackingSpec(Spec):
    """The MLflow store: a server's http(s) URI or sqlite:///FILE; without one, `mlruns/mlflow.db` below the root.

    Without a name, the experiment is `finetune_alf.<project>`. With `system_metrics` the parent run of each stage has
    the use of processor, memory, disk, network and GPU, every ten seconds.
    """

    uri: str | None = None
    """The URI of a server, or of a SQLite file."""
    experiment: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The name of the experiment in MLflow."""
    system_metrics: bool = False
    """Whether the parent run of each stage has the use of processor, memory, disk, network and GPU."""
    on_failure: Literal["continue", "wait"] = "continue"
    """While the store fails, stages continue, and what they have not written to it after ten seconds at their end waits
    in `studies/spool/` for `finetune-alf sync`. With `wait` a stage does not start without the store, and does not end
    before everything is written, as long as anything is."""


class ReportSpec(Spec):
    """The title of the report, and the folder of kept results.

    `kept` names a folder below the root that has the same folders as results/, with what other runs have written, such
    as runs of hours that are kept in the repository. Its page is `<kept>.md`, with its figures in `figures/` beside it.
    """

    title: Annotated[str, Field(min_length=1, max_length=200)] = "Adaptive layer freezing"
    """The title of the page."""
    kept: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")] | None = None


class Params(Spec):
    """The content of params.yaml: samples, encoders and studies; `params_model` adds the sections of experiments.

    `project` is in the names of experiments and models, and in the keys of runs, so that projects can share a store.
    `register` is spelt `register_` in Python, where the plain word is taken.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)
    sections: ClassVar[tuple[Section[Any], ...]] = ()

    project: Name = RANDOM_PROJECT
    compute: ComputeSpec = ComputeSpec()
    """How fits are run."""
    tracking: TrackingSpec = TrackingSpec()
    """Where runs are recorded."""
    study_store: StudyStoreSpec = StudyStoreSpec()
    """Where studies keep their trials."""
    encoders: Annotated[dict[Name, EncoderSpec], Field(min_length=1)]
    """The encoders by name."""
    samples: Annotated[dict[Name, AnySampleSpec], Field(min_length=1)]
    """The samples and mixtures by name."""
    studies: dict[Name, StudySpec] = Field(default_factory=dict)
    """The studies by name."""
    importance: ImportanceSpec = ImportanceSpec()
    """How the importance of layers is estimated."""
    register_: RegisterSpec = Field(default=RegisterSpec(), alias="register")
    """How the best trials are confirmed and registered."""
    report: ReportSpec = ReportSpec()
    """The report."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        found = list(disagreements(self.model_dump(mode="json", by_alias=True), self.sections))
        if found:
            lines = [f"{'.'.join(map(str, path))}: {message}" for path, message in found]
            raise PydanticCustomError("disagreement", "{text}", {"text": "\n".join(lines)})
        return self

    @classmethod
    def named_sections(cls) -> list[str]:
        """Return the keys of the sections whose entries have names, encoders and samples first."""
        return [key for key, field in cls.model_fields.items() if getattr(field.annotation, "__origin__", None) is dict]


@cache
def params_model(sections: tuple[Section[Any], ...]) -> type[Params]:
    """Return the record of a params.yaml that has these sections beside the package's own.

    Raises InputError for a section with the key of one that is there already.
    """
    if taken := [section.key for section in sections if section.key in Params.model_fields]:
        raise InputError(f"sections of experiments: must have keys of their own, but {', '.join(taken)} is taken.")
    fields: dict[str, Any] = {section.key: field_of(section) for section in sections}
    model = create_model("Params", __base__=Params, __doc__=Params.__doc__, **fields)
    model.sections = tuple(sections)
    return model


def disagreements(raw: Mapping[str, Any], sections: Sequence[Section[Any]]) -> Iterator[Disagreement]:
    """Yield what does not fit together between sections of parameters as read, whatever else is wrong with them."""
    read = RawParams(raw)
    if read.section("study_store").get("url") and raw.get("project", RANDOM_PROJECT) == RANDOM_PROJECT:
        yield ("project",), UNNAMED_PROJECT
    for name, study in read.entries("studies"):
        yield from check_study(read, name, study)
    for section in sections:
        yield from section.check(read)
