"""Experiment: what the package needs of one. The commands, `plan`, `run`, `params` and the report loop over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:  # the command line lists experiments without loading any of these
    from finetune_alf.params import Params
    from finetune_alf.params.section import Section
    from finetune_alf.paths import Paths
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


@dataclass(frozen=True)
class Help:
    """What `finetune-alf KEY --help` says: one line, the whole, and the arguments of an example."""

    short: str
    long: str
    example: str


class Experiment(Protocol):
    """Fits beside the studies, under one key.

    The key is that of its section in params.yaml, of its command and its stage in dvc.yaml, of its folder under
    results/, and the first part of the keys of its runs in MLflow. The module of an experiment imports nothing heavy: a
    method imports what it needs, so that `--help` stays quick.
    """

    key: ClassVar[str]
    help: ClassVar[Help]
    arguments: ClassVar[tuple[str, ...]]
    """The arguments of its command, in order."""
    before_studies: ClassVar[bool]
    """Whether studies may depend on what it writes, as on an encoder that was trained further."""

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        ...

    def choices(self, params: "Params") -> tuple[Sequence[str], ...]:
        """Return what params.yaml names for each argument; all combinations are run, and planned by the first."""
        ...

    def samples(self, params: "Params", *arguments: str) -> Sequence[str]:
        """Return the names of the samples that a run with these arguments reads."""
        ...

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Do the fits that are not done yet, and write cells and document."""
        ...

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of an entry, for a prediction of their time and memory."""
        ...

    def part(self, paths: "Paths") -> "Part | None":
        """Return its part of the report, read from its documents; None where it has not run."""
        ...


class NamedExperiment:
    """What experiments have in common whose section holds entries by name, each of them run by itself.

    The modules beside that of the class have what its methods need: `section` has SECTION, and for a key `freeze`
    `stage` has a function `freeze`, `planned` has `freeze_planned`, and `page` has `freeze_part`.
    """

    key: ClassVar[str]
    help: ClassVar[Help]
    arguments: ClassVar[tuple[str, ...]] = ("name",)
    before_studies: ClassVar[bool] = False

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        section: Section[Any] = self._beside("section", "SECTION")
        return section

    def choices(self, params: "Params") -> tuple[Sequence[str], ...]:
        """Return the names of the entries."""
        return (tuple(self.section.of(params)),)

    def samples(self, params: "Params", *arguments: str) -> Sequence[str]:
        """Return the `samples` of an entry, or its one `sample`."""
        spec = self.section.of(params)[arguments[0]]
        return spec.samples if hasattr(spec, "samples") else (spec.sample,)

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Do the fits of an entry that are not done yet, and write cells and document.

        The lock is taken before torch and MLflow are loaded.
        """
        with ctx.lock(self.lock(*arguments)):
            self._beside("stage", self.key)(ctx, *arguments)

    def lock(self, *arguments: str) -> str:
        """Return the name of the lock for a run with these arguments."""
        return "-".join((self.key, *arguments))

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of an entry."""
        planned: PlannedFits = self._beside("planned", f"{self.key}_planned")(ctx, name)
        return planned

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about all entries that have run."""
        part: Part | None = self._beside("page", f"{self.key}_part")(paths)
        return part

    def _beside(self, module: str, name: str) -> Any:
        package = type(self).__module__.rpartition(".")[0]
        return getattr(import_module(f"{package}.{module}"), name)
