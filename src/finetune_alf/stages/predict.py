"""What each stage of a study will take: its fits as recipes, their work, and a machine's speed."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from finetune_alf.cost.memory import fit_memory
from finetune_alf.cost.plan import expected
from finetune_alf.cost.shape import Engine, FitLengths, Shape
from finetune_alf.cost.speed import Speed
from finetune_alf.cost.work import fit_work
from finetune_alf.data.sample import Sample, load_sample
from finetune_alf.rates import HEAD, DecayedRates
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.spec import Spec
from finetune_alf.stages.bench import Bench
from finetune_alf.stages.context import Context
from finetune_alf.stages.probe import Probe
from finetune_alf.stages.spent import Spent, register_spent, study_spent, transfer_spent
from finetune_alf.study.coordinator import DECAY
from finetune_alf.transfer.schemes import scheme_recipes

N_DRAWS = 100
"""Rate vectors drawn from a study's space: enough to know their mean work to within about two hundredths."""

BETWEEN_S = 0.05
"""What passes between two fits: proposing, writing, handing over to MLflow. `benchmarks/overhead.py` prints it."""

LIBRARIES_BYTES = 900 << 20
"""What a process holds besides its fits on a CPU: Python, PyTorch, transformers, MLflow. Seen at MiniLM's peak."""


class StagePlan(Spec):
    """One stage: its fits, a fit's useful floating-point operations and seconds, all seconds, bytes at its fullest.

    Without its sample only the fits are counted, and `missing` is the command to run first. `spent` is what was done.
    """

    stage: str
    sample: str
    n_fits: int
    fit_flops: float | None = None
    fit_s: float | None = None
    seconds: float | None = None
    memory_bytes: int | None = None
    missing: str | None = None
    spent: Spent | None = None

    @property
    def ratio(self) -> float | None:
        """The seconds that were spent on each fit over those predicted, with what lies between fits."""
        if self.spent is None or not self.seconds:
            return None
        return (self.spent.seconds / self.spent.n_fits) / (self.seconds / self.n_fits)


@dataclass(frozen=True)
class StagePlanner:
    """Plans the stages of one study."""

    ctx: Context
    name: str
    bench: Bench
    shape: Shape
    engine: Engine
    probe: Probe
    speed: Speed

    def stages(self) -> Iterable[StagePlan]:
        """Yield the study, its registration, and its transfers where params.yaml has some."""
        paths, name, own = self.ctx.paths, self.name, self.bench.sample
        yield self._stage("study", own, None, self._trials(), study_spent(paths, name))
        n_confirmed = self.ctx.params.register_.n_top * self.ctx.params.register_.n_seeds
        yield self._stage("register", own, "confirmation", [self._searched] * n_confirmed, register_spent(paths, name))
        transfer = self.ctx.params.transfer
        for sample in transfer.samples if name in transfer.studies else ():
            kinds = self._schemes() * transfer.n_seeds
            if (command := command_for(self.ctx, sample)) is not None:
                yield StagePlan(stage=f"transfer to {sample}", sample=sample, n_fits=len(kinds), missing=command)
                continue
            loaded = load_sample(paths.sample(sample))
            yield self._stage(f"transfer to {sample}", loaded, "test", kinds, transfer_spent(paths, name, sample))

    def _stage(
        self,
        stage: str,
        sample: Sample,
        scored: str | None,
        kinds: Sequence[Sequence[Recipe]],
        spent: Spent | None,
    ) -> StagePlan:
        """Plan a stage with one fit of each kind; a kind is its recipe, or many that it may have."""
        lengths, speed = self._lengths(sample, scored), self.probe.speed_on(sample, self.speed)
        distinct = {id(kind): kind for kind in kinds}
        works = {
            key: [fit_work(self.shape, lengths, recipe, self.engine) for recipe in kind]
            for key, kind in distinct.items()
        }
        seconds = {key: fmean(speed.seconds(work) for work in some) for key, some in works.items()}
        flops = {key: fmean(work.flops for work in some) for key, some in works.items()}
        whole = expected(
            [seconds[id(kind)] for kind in kinds], n_workers=self.ctx.params.compute.n_workers, between_s=BETWEEN_S
        )
        recipes = [recipe for kind in distinct.values() for recipe in kind]
        return StagePlan(
            stage=stage,
            sample=sample.name,
            n_fits=whole.n_fits,
            fit_flops=fmean(flops[id(kind)] for kind in kinds),
            fit_s=whole.fit_s,
            seconds=whole.seconds,
            memory_bytes=self._memory(max(fit_memory(self.shape, lengths, r, self.engine).total for r in recipes)),
            spent=spent,
        )

    def _memory(self, fit_bytes: int) -> int:
        """Return what all workers hold: of a GPU's memory the fits alone, else with each process's libraries."""
        libraries = 0 if self.bench.encoder.model.device.type == "cuda" else LIBRARIES_BYTES
        return self.ctx.params.compute.n_workers * (fit_bytes + libraries)

    def _lengths(self, sample: Sample, scored: str | None) -> FitLengths:
        encoder, max_tokens = self.bench.encoder, self.bench.study.recipe.max_tokens
        names = ("train", "validation", *([scored] if scored else []))
        ids = {split: encoder.tokenize(sample.splits[split].texts, max_tokens).ids for split in names}
        lengths = {split: tuple(map(len, texts)) for split, texts in ids.items()}
        words = {word for texts in ids.values() for text in texts for word in text}
        return FitLengths(lengths["train"], lengths["validation"], lengths[scored] if scored else None, len(words))

    def _trials(self) -> list[Sequence[Recipe]]:
        """Return what each trial may be: what is enqueued, then anything out of the space."""
        spec = self.bench.study
        baseline = spec.recipe.rates.at(self.shape.n_layers)
        decayed = DecayedRates(rate=spec.recipe.rates.highest, decay=DECAY, head=baseline[HEAD])
        rates = {"baseline": baseline, "decayed": decayed.at(self.shape.n_layers)}
        first: list[Sequence[Recipe]] = [[spec.recipe.with_rates(rates[each])] for each in spec.enqueue]
        return [*first, *[self._searched] * (spec.n_trials - len(first))][: spec.n_trials]

    def _schemes(self) -> list[Sequence[Recipe]]:
        """Return the schemes of a transfer; which schedules a study will register, nobody knows before."""
        spec = self.ctx.params.transfer
        known = [scheme for scheme in spec.schemes if not scheme.startswith("alf-")]
        recipes = scheme_recipes(known, self.bench.study.recipe, {}, self.shape.n_layers, spec.decay)
        return [[recipes[scheme]] if scheme in recipes else self._searched for scheme in spec.schemes]

    @cached_property
    def _searched(self) -> Sequence[Recipe]:
        """Recipes out of the study's space, each as probable as any: a sampler's own taste is not known before."""
        spec, n_layers = self.bench.study, self.shape.n_layers
        head = spec.recipe.rates.at(n_layers)[HEAD]
        draw = random.Random(child_seed(spec.seed, "plan"))  # noqa: S311 - a draw of rates
        names = list(spec.space.parameters(n_layers))
        drawn = [{name: spec.space.at(draw.random()) for name in names} for _ in range(N_DRAWS)]
        return [spec.recipe.with_rates(spec.space.layer_rates(params, n_layers, head)) for params in drawn]


def command_for(ctx: Context, sample: str) -> str | None:
    """Return the command that prepares a sample, where that is not done."""
    there = (ctx.paths.sample(sample) / "card.json").exists()
    return None if there else f"finetune-alf prepare {sample}"
