"""Predicting fits: their operations by the formulas of `cost/`, at the speed that a probe measured."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from finetune_alf.cost.contrastive import contrastive_memory, contrastive_work
from finetune_alf.cost.memory import FP32_BYTES, fit_memory
from finetune_alf.cost.mixture import mixture_memory, mixture_work
from finetune_alf.cost.shape import EncoderShape, Engine
from finetune_alf.cost.speed import Speed
from finetune_alf.cost.stage_time import stage_time
from finetune_alf.cost.work import NO_WORK, Work, evaluation_work, fit_work
from finetune_alf.data.mixture import AnySample
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.planning.elapsed import ElapsedTime
from finetune_alf.planning.lengths import TextLengths
from finetune_alf.planning.probe import N_KINDS, Probe, engine_of, shape_of
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.recipe import AnyRecipe, LinearRecipe, Recipe, TfidfRecipe
from finetune_alf.running.context import Context
from finetune_alf.train.steps import n_steps_per_epoch

BETWEEN_S = 0.05
"""The time between two fits: proposing, writing, logging to MLflow. `benchmarks/overhead.py` prints it."""

LIBRARIES_BYTES = 900 << 20
"""What a process holds besides its fits on a CPU: Python, PyTorch, transformers, MLflow. Seen at MiniLM's peak."""


@dataclass(frozen=True)
class FitGroup:
    """Fits of one kind, `n` of them. Each has one of the recipes, all of them equally probable.

    They are scored on the split of their stage, unless `scored` names another one.
    """

    kind: str
    recipes: Sequence[AnyRecipe]
    n: int = 1
    scored: str | None = None


@dataclass(frozen=True)
class Cost:
    """What a fit costs: its work, and its bytes at its fullest."""

    work: Work
    memory_bytes: int


@dataclass(frozen=True)
class Predictor:
    """Knows one encoder, those of its samples that are prepared, and the speed of a recipe's fits on the first one."""

    ctx: Context
    spec: EncoderSpec
    encoder: Encoder
    fit_runner: FitRunner
    samples: Mapping[str, AnySample]
    shape: EncoderShape
    engine: Engine
    probe: Probe | None
    lengths: TextLengths
    speeds: dict[str, Speed] = field(default_factory=dict)
    _costs: dict[Hashable, Cost] = field(default_factory=dict, repr=False)
    _shapes: dict[Hashable, EncoderShape] = field(default_factory=dict, repr=False)

    @property
    def n_layers(self) -> int:
        """The encoder's depth."""
        return self.encoder.n_layers

    @property
    def cpu_share(self) -> float | None:
        """The seconds of processor time for each second of the probe; None without one, or where a GPU computes."""
        return self.probe.cpu_share if self.probe else None

    def stage(
        self,
        stage: str,
        sample: str,
        groups: Sequence[FitGroup],
        scored: str | None = None,
        elapsed: ElapsedTime | None = None,
        max_at_once: int | None = None,
    ) -> StagePlan:
        """Plan fits on a sample, of which `max_at_once` can run side by side.

        Without `scored` they are scored on the validation split.
        """
        if sample not in self.samples:
            return self.unprepared(stage, sample, sum(group.n for group in groups), elapsed)
        loaded = self.samples[sample]
        costs = {
            group.kind: [self.cost(loaded, recipe, group.scored or scored) for recipe in group.recipes]
            for group in groups
        }
        n_fits = {group.kind: group.n for group in groups}
        return self.planned(stage, sample, n_fits, costs, elapsed, max_at_once=max_at_once)

    def unprepared(self, stage: str, sample: str, n_fits: int, elapsed: ElapsedTime | None = None) -> StagePlan:
        """Return the plan of fits on a sample that is not prepared: their number."""
        return StagePlan(
            stage=stage, sample=sample, n_fits=n_fits, missing=command_for(self.ctx, sample), elapsed=elapsed
        )

    def planned(
        self,
        stage: str,
        sample: str,
        n_fits: Mapping[str, int],
        costs: Mapping[str, Sequence[Cost]],
        elapsed: ElapsedTime | None = None,
        seconds: Mapping[str, float] | None = None,
        max_at_once: int | None = None,
    ) -> StagePlan:
        """Plan `n_fits` of each kind on a prepared sample; a fit of a kind has one of its costs.

        Their seconds follow from the probe's speed, unless they are given.
        """
        if seconds is None:
            speed = self._speed_on(sample)
            seconds = {kind: fmean(speed.seconds(one.work) for one in some) for kind, some in costs.items()}
        n_workers = self.ctx.params.compute.n_workers
        n_workers = min(n_workers, max_at_once or n_workers)
        whole = stage_time(_each(n_fits, seconds), n_workers=n_workers, between_s=BETWEEN_S)
        flops = {kind: fmean(one.work.flops for one in some) for kind, some in costs.items()}
        done = elapsed and (_each(elapsed.kinds, seconds, whole.fit_s) or [whole.fit_s] * elapsed.n_fits)
        return StagePlan(
            stage=stage,
            sample=sample,
            n_fits=whole.n_fits,
            fit_flops=fmean(_each(n_fits, flops)),
            fit_s=whole.fit_s,
            seconds=whole.seconds,
            memory_bytes=self._memory(max(one.memory_bytes for some in costs.values() for one in some)),
            elapsed=elapsed,
            elapsed_predicted_s=stage_time(done, n_workers=n_workers, between_s=BETWEEN_S).seconds if done else None,
        )

    def cost(self, sample: AnySample, recipe: AnyRecipe, scored: str | None) -> Cost:
        """Return the cost of a fit on a sample that is at hand; that of fits which cost the same is computed once."""
        key = (sample.card.digest, _cost_key(recipe, self.n_layers), scored)
        if key not in self._costs:
            self._costs[key] = self._cost(sample, recipe, scored)
        return self._costs[key]

    def _cost(self, sample: AnySample, recipe: AnyRecipe, scored: str | None) -> Cost:
        if not isinstance(recipe, Recipe):
            return self._linear_cost(sample, recipe, scored)
        shape, parts = self._shape_for(sample, recipe), self.lengths.parts(sample, recipe, scored)
        if recipe.tasks is None:
            (part,) = parts.values()
            if recipe.objective is not None:
                given = (shape, part.lengths, recipe, recipe.objective, self.engine)
                return Cost(contrastive_work(*given), contrastive_memory(*given).total)
            work = fit_work(shape, part.lengths, recipe, self.engine)
            return Cost(work, fit_memory(shape, part.lengths, recipe, self.engine).total)
        n_steps = n_steps_per_epoch(recipe, {task: part.n_rows for task, part in parts.items()})
        work = mixture_work(shape, parts, recipe, self.engine, n_steps)
        return Cost(work, mixture_memory(shape, parts, recipe, self.engine))

    def _linear_cost(self, sample: AnySample, recipe: LinearRecipe, scored: str | None) -> Cost:
        """Return the cost of a linear model: the encoder's pass over both splits, once; the model itself is seconds."""
        if isinstance(recipe, TfidfRecipe):
            return Cost(NO_WORK, 0)
        (part,) = self.lengths.parts(sample, recipe, scored).values()
        texts = (*part.lengths.train, *(part.lengths.scored or part.lengths.validation))
        batch = self.engine.micro_batch or self.engine.evaluation_batch
        weights_bytes = FP32_BYTES * sum(self.shape.parameters.values())
        return Cost(evaluation_work(self.shape, texts, self.engine, batch), 2 * weights_bytes)

    def _shape_for(self, sample: AnySample, recipe: Recipe) -> EncoderShape:
        """Return the encoder's sizes as a recipe has it: with an adapter, a frozen pooler, heads for several tasks."""
        if recipe.tasks is not None:
            return shape_of(self.fit_runner.loader.encoder_for(self.spec, recipe, sample).with_pooler(recipe.pooler))
        key = (recipe.adapter, recipe.pooler)
        if key not in self._shapes:
            n_outputs = int(self.encoder.model.config.num_labels)  # adapters go into the encoder that is loaded already
            encoder = self.fit_runner.loader.encoder(self.spec, n_outputs, recipe.adapter)
            self._shapes[key] = shape_of(encoder.with_pooler(recipe.pooler))
        return self._shapes[key]

    def _speed_on(self, sample: str) -> Speed:
        """Return the speed of fits on a sample, measured at the first call."""
        assert self.probe is not None  # noqa: S101 - there is one as soon as any sample is prepared
        if not self.speeds:
            with self.ctx.console.progress("timing steps", N_KINDS) as bar:
                self.speeds[""] = self.probe.speed(bar)
        if sample not in self.speeds:
            self.speeds[sample] = self.probe.speed_on(probed(self.samples[sample]), self.speeds[""])
        return self.speeds[sample]

    def _memory(self, fit_bytes: int) -> int:
        """Return what all workers hold: of a GPU's memory the fits alone, else with each process's libraries."""
        libraries = 0 if self.encoder.model.device.type == "cuda" else LIBRARIES_BYTES
        return self.ctx.params.compute.n_workers * (fit_bytes + libraries)


def _cost_key(recipe: AnyRecipe, n_layers: int) -> Hashable:
    """Return what the cost of a fit follows from: of the rates only which are 0."""
    if not isinstance(recipe, Recipe):
        return recipe.model_dump_json()
    trained = frozenset(address for address, rate in recipe.rates.at(n_layers).items() if rate > 0)
    return (trained, recipe.model_dump_json(exclude={"rates"}))


def predictor_of(
    ctx: Context,
    spec: EncoderSpec,
    fit_runner: FitRunner,
    samples: Mapping[str, AnySample],
    n_outputs: int,
    recipe: Recipe,
) -> Predictor:
    """Load an encoder with a head of `n_outputs`, and assume that all samples need such a head."""
    encoder = fit_runner.loader.encoder(spec, n_outputs)
    first = next(iter(samples.values()), None)
    probe = Probe(encoder, recipe, probed(first), fit_runner.compute) if first else None
    shape, engine = shape_of(encoder), engine_of(encoder, fit_runner.compute)
    return Predictor(ctx, spec, encoder, fit_runner, samples, shape, engine, probe, TextLengths(encoder))


def probed(sample: AnySample) -> Sample:
    """Return the sample whose texts a probe takes: of several tasks the largest one."""
    return max(sample.tasks.values(), key=lambda task: len(task.splits["train"].texts))


def command_for(ctx: Context, sample: str) -> str | None:
    """Return the command that prepares a sample, where that is not done."""
    there = (ctx.paths.sample(sample) / "card.json").exists()
    return None if there else ctx.paths.command("prepare", sample)


def _each(n_fits: Mapping[str, int], values: Mapping[str, float], otherwise: float = 0.0) -> list[float]:
    """Return the value of each single fit; that of an unknown kind is given."""
    return [value for kind, n in n_fits.items() for value in [values.get(kind, otherwise)] * n]
