"""Stage `plan`: predict time and memory of studies and experiments, beside the time that finished fits took."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch

from finetune_alf.checksums import canonical_json
from finetune_alf.compute.load import busy_note, load_average
from finetune_alf.cost.speed import Speed
from finetune_alf.data.mixture import AnySample, load_any_sample
from finetune_alf.data.sample import Sample
from finetune_alf.errors import AlfError, InputError
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.params import Params
from finetune_alf.planning.planned import Plannable, PlannedFits
from finetune_alf.planning.predict import Predictor, command_for, predictor_of
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.recipe import Recipe
from finetune_alf.running.bench import encoder_spec_of, fit_runner_of, n_outputs
from finetune_alf.running.context import Context
from finetune_alf.spec import Spec

START_S = 8.0
"""Start-up of a stage: importing libraries, loading encoder and sample, opening MLflow's store. On a 2-core Xeon."""

_PROBED = ("batch", "max_tokens", "optimizer", "clip")
"""The fields of a recipe on which a probe depends."""


class Plan(Spec):
    """A study with its registration and its transfers, or an experiment; `title` is what it is called.

    `start_s` comes on top each of the `n_starts` times that something is started.
    """

    section: str
    name: str
    title: str
    encoder: str
    device: str
    precision: str
    n_threads: int
    n_workers: int
    probe_s: float
    start_s: float
    n_starts: int
    stages: tuple[StagePlan, ...]
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """All stages that can be planned, with their starts."""
        return sum(stage.seconds or 0.0 for stage in self.stages) + self.start_s * self.n_starts

    @property
    def left(self) -> tuple[StagePlan, ...]:
        """The stages that can be planned and have fits left."""
        return tuple(stage for stage in self.stages if stage.seconds is not None and stage.n_left)

    @property
    def left_s(self) -> float:
        """The seconds of the fits that are left, with the starts of their stages."""
        return sum(stage.left_s or 0.0 for stage in self.left) + self.start_s * min(self.n_starts, len(self.left))


@dataclass
class Predictors:
    """Predictors by encoder and recipe, with the samples of all that they will plan; each encoder is loaded once.

    `speeds` and `fit_runner` are those of another plan of the same encoder and recipe: what is in them is neither timed
    nor loaded again.
    """

    ctx: Context
    speeds: dict[str, Speed] | None = None
    fit_runner: FitRunner | None = None
    _samples: dict[str, dict[str, None]] = field(default_factory=dict)
    _predictors: dict[str, Predictor] = field(default_factory=dict)

    def expect(self, planned: PlannedFits) -> None:
        """Note the samples of fits that are planned later."""
        self._samples.setdefault(_probe_key(planned), {}).update(dict.fromkeys(planned.samples))

    def of(self, planned: PlannedFits) -> Predictor:
        """Return the predictor of fits; load encoder and prepared samples at the first call."""
        key = _probe_key(planned)
        if key not in self._predictors:
            self._predictors[key] = self._load(planned, list(self._samples.get(key, planned.samples)))
        return self._predictors[key]

    @property
    def cpu_share(self) -> float | None:
        """The seconds of processor time for each second of the first probe; None without one, or on a GPU."""
        shares = (predictor.cpu_share for predictor in self._predictors.values())
        return next((share for share in shares if share is not None), None)

    def _load(self, planned: PlannedFits, names: Sequence[str]) -> Predictor:
        ctx = self.ctx
        ctx.console.doing(f"plan: loading the encoder {planned.encoder}, and the texts of {', '.join(names)}")
        folders = {name: ctx.paths.sample(name) for name in names if command_for(ctx, name) is None}
        samples = {name: load_any_sample(folder) for name, folder in folders.items()}
        self.fit_runner = self.fit_runner or fit_runner_of(ctx, {})
        self.fit_runner.folders.update({sample.card.digest: folders[name] for name, sample in samples.items()})
        n = _n_outputs(list(samples.values()), planned.recipe)
        found = predictor_of(ctx, encoder_spec_of(ctx, planned.encoder), self.fit_runner, samples, n, planned.recipe)
        return found if self.speeds is None else replace(found, speeds=self.speeds)


def _probe_key(planned: PlannedFits) -> str:
    """Return what a probe of these fits depends on."""
    return canonical_json([planned.encoder, planned.recipe.model_dump(mode="json", include=set(_PROBED))])


@dataclass(frozen=True)
class Collected:
    """All fits to plan, with section and name, before anything is timed; and the errors of what cannot be planned."""

    planned: tuple[tuple[Plannable, str, PlannedFits], ...]
    failed: tuple[AlfError, ...]

    def samples(self, ctx: Context, *, prepared: bool) -> list[str]:
        """Return the samples that are prepared, or those that are not."""
        names = dict.fromkeys(name for _, _, fits in self.planned for name in fits.samples)
        return [name for name in names if (command_for(ctx, name) is None) is prepared]


def collect(ctx: Context, plannables: Sequence[Plannable], name: str | None = None) -> Collected:
    """Return the fits of all studies and experiments, or of those of this name; InputError where nothing has it."""
    planned: list[tuple[Plannable, str, PlannedFits]] = []
    failed: list[AlfError] = []
    for plannable, one in named(ctx.params, plannables, name):
        try:
            planned.append((plannable, one, plannable.planned(ctx, one)))
        except AlfError as error:
            failed.append(error)
    return Collected(tuple(planned), tuple(failed))


def plans(ctx: Context, collected: Collected) -> tuple[list[Plan], list[AlfError]]:
    """Plan what was collected; return also the errors of what cannot be planned."""
    predictors, load = Predictors(ctx), load_average()  # later on, the probes themselves would add to the load
    planned, failed = collected.planned, list(collected.failed)
    made: list[Plan] = []
    for _, _, fits in planned:
        predictors.expect(fits)
    for plannable, one, fits in planned:
        try:
            made.append(_plan(ctx, plannable.key, one, fits, predictors, load))
        except AlfError as error:
            failed.append(error)
    return made, failed


def named(params: Params, plannables: Sequence[Plannable], name: str | None) -> list[tuple[Plannable, str]]:
    """Return everything that can be planned with its name, or what has this name."""
    there = [(plannable, one) for plannable in plannables for one in plannable.choices(params)[0]]
    found = [(plannable, one) for plannable, one in there if name in (None, one)]
    if name is not None and not found:
        names = ", ".join(dict.fromkeys(one for _, one in there)) or "none"
        raise InputError(
            f"plan: must be given the name of a study or an experiment, but got {name}. There are: {names}.",
            option="name",
        )
    return found


def plan(ctx: Context, plannable: Plannable, name: str, predictors: Predictors | None = None) -> Plan:
    """Time a few steps of the fits of one study or experiment, and predict the time and memory of all of them.

    `predictors` that are given are used again. Raises EncoderError for the encoder.
    """
    return _plan(ctx, plannable.key, name, plannable.planned(ctx, name), predictors or Predictors(ctx), load_average())


def _plan(ctx: Context, section: str, name: str, planned: PlannedFits, predictors: Predictors, load: float) -> Plan:
    started = time.monotonic()
    predictor = predictors.of(planned)
    stages = tuple(planned.stages(predictor))
    n_planned = sum(stage.seconds is not None for stage in stages)
    return Plan(
        section=section,
        name=name,
        title=planned.title,
        encoder=predictor.encoder.identity,
        device=str(predictor.encoder.model.device),
        precision="bf16" if predictor.engine.bytes_per_number == 2 else "fp32",
        n_threads=torch.get_num_threads(),
        n_workers=ctx.params.compute.n_workers,
        probe_s=time.monotonic() - started,
        start_s=START_S,
        n_starts=min(n_planned, 1) if planned.is_one_command else n_planned,
        stages=stages,
        notes=(*(_notes(ctx, planned, load, predictor.cpu_share) if n_planned else ()), *planned.notes),
    )


def _n_outputs(samples: Sequence[AnySample], recipe: Recipe) -> int:
    """Return the outputs of a head for the first sample; of several tasks each has its own in the place of one."""
    if not samples:
        return 2
    return n_outputs(samples[0].card) if isinstance(samples[0], Sample) and recipe.tasks is None else 1


def _notes(ctx: Context, planned: PlannedFits, load: float, cpu_share: float | None) -> Iterable[str]:
    """Yield what the numbers do not include."""
    compute = ctx.params.compute
    if note := busy_note(load, cpu_share):
        yield note
    if planned.recipe.early_stopping is not None:
        yield "recipe.early_stopping may end fits earlier: these are upper bounds."
    if compute.n_workers > 1:
        yield "The timed steps ran alone. Several workers slow each other down, which it does not measure."
    if compute.n_fused > 1:
        yield (
            "Fits were timed one at a time: with compute.n_fused they may take less time, and up to "
            f"{compute.n_fused} times the memory."
        )
