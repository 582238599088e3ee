"""Stage `plan`: what studies and experiments will take, and what they took."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch

from finetune_alf.data.mixture import AnySample, load_any_sample
from finetune_alf.data.sample import Sample
from finetune_alf.errors import AlfError, InputError
from finetune_alf.experiments.adapt.planned import adapt_asked
from finetune_alf.experiments.freeze.bench import n_outputs
from finetune_alf.files import canonical_json
from finetune_alf.params import Params
from finetune_alf.planning.asked import Asked, freeze_asked, multitask_asked, schemes_asked
from finetune_alf.planning.predict import Predictor, StagePlan, command_for, predictor_of
from finetune_alf.planning.study import study_asked
from finetune_alf.recipe import Recipe
from finetune_alf.running.bench import encoder_spec_of, workbench_of
from finetune_alf.running.context import Context
from finetune_alf.spec import Spec

START_S = 8.0
"""What a stage takes before its first fit: libraries, encoder, sample, MLflow's store. Seen on a 2-core Xeon."""

BUSY = 0.5
"""The share of the cores that may have been wanted in the minute before, and a plan says nothing of it."""

SECTIONS: Mapping[str, Callable[[Context, str], Asked]] = {
    "adapt": adapt_asked,
    "studies": study_asked,
    "freeze": freeze_asked,
    "schemes": schemes_asked,
    "multitask": multitask_asked,
}
"""The sections of params.yaml whose entries have fits, in the order of the work."""

_PROBED = ("batch", "micro_batch", "max_tokens", "optimizer", "clip", "precision")
"""What of a recipe a probe depends on."""


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


Predictors = dict[str, Predictor]


def plans(ctx: Context, name: str | None = None) -> tuple[list[Plan], list[AlfError]]:
    """Plan all studies and experiments, or those of this name; what cannot be planned is told by its error.

    Raises InputError where nothing has the name.
    """
    known: Predictors = {}
    load = _load()  # later on, the probes themselves would be among what kept the cores busy
    made, failed = [], []
    for section, one in named(ctx.params, name):
        try:
            made.append(plan(ctx, section, one, known, load))
        except AlfError as error:
            failed.append(error)
    return made, failed


def named(params: Params, name: str | None) -> list[tuple[str, str]]:
    """Return the section and name of everything that can be planned, or of what has this name."""
    there = [(section, one) for section in SECTIONS for one in getattr(params, section)]
    found = [(section, one) for section, one in there if name in (None, one)]
    if name is not None and not found:
        names = ", ".join(dict.fromkeys(one for _, one in there)) or "none"
        raise InputError(
            f"plan: must be given the name of a study or an experiment, but got {name}. There are: {names}."
        )
    return found


def plan(ctx: Context, section: str, name: str, known: Predictors | None = None, load: float | None = None) -> Plan:
    """Time a few steps of such fits as are asked for, and work out what all of them will take.

    Predictors that are `known` are used again; a new one is added to them. `load` is how many programs wanted to run
    in the minute before, on average; it is looked up unless given. Raises DataError, naming the stage to run,
    where the sample of a study is not prepared, and EncoderError for the encoder.
    """
    asked = SECTIONS[section](ctx, name)
    started = time.monotonic()
    load = _load() if load is None else load
    predictor = _predictor(ctx, asked, {} if known is None else known)
    stages = tuple(asked.stages(predictor))
    n_planned = sum(stage.seconds is not None for stage in stages)
    return Plan(
        section=section,
        name=name,
        title=asked.title,
        encoder=predictor.encoder.identity,
        device=str(predictor.encoder.model.device),
        precision="bf16" if predictor.engine.bytes_a_number == 2 else "fp32",
        n_threads=torch.get_num_threads(),
        n_workers=ctx.params.compute.n_workers,
        probe_s=time.monotonic() - started,
        start_s=START_S,
        n_starts=min(n_planned, 1) if asked.is_one_command else n_planned,
        stages=stages,
        notes=(*(_notes(ctx, asked, load) if n_planned else ()), *asked.notes),
    )


def _predictor(ctx: Context, asked: Asked, known: Predictors) -> Predictor:
    """Load encoder and samples, or find them loaded and the speed of such fits known."""
    recipe = asked.recipe.model_dump(mode="json", include=set(_PROBED))
    key = canonical_json([asked.encoder, asked.samples, recipe])
    if key not in known:
        folders = {one: ctx.paths.sample(one) for one in asked.samples if command_for(ctx, one) is None}
        samples = {one: load_any_sample(folder) for one, folder in folders.items()}
        by_digest = {sample.card.digest: folders[one] for one, sample in samples.items()}
        workbench = workbench_of(ctx, by_digest)
        n = _n_outputs(list(samples.values()), asked.recipe)
        known[key] = predictor_of(ctx, encoder_spec_of(ctx, asked.encoder), workbench, samples, n, asked.recipe)
    return known[key]


def _n_outputs(samples: Sequence[AnySample], recipe: Recipe) -> int:
    """Return the outputs of a head for the first sample; of several tasks each has its own in the place of one."""
    if not samples:
        return 2
    return n_outputs(samples[0].card) if isinstance(samples[0], Sample) and recipe.tasks is None else 1


def _load() -> float:
    return os.getloadavg()[0]


def _notes(ctx: Context, asked: Asked, load: float) -> Iterable[str]:
    """Yield what the numbers leave aside."""
    compute, n_cores = ctx.params.compute, os.cpu_count() or 1
    if load > BUSY * n_cores:
        yield (
            f"In the minute before, {load:.1f} programs on average wanted the {n_cores} cores. "
            "If some still run, everything takes less without them."
        )
    if asked.recipe.stopping is not None:
        yield "recipe.stopping may end fits earlier: these are the most they can take."
    if compute.n_workers > 1:
        yield "The probe ran alone: several workers slow each other down by what it cannot tell."
    if compute.n_fused > 1:
        yield (
            "The probe ran fits one by one: with compute.n_fused they may take less time, and up to "
            f"{compute.n_fused} times the memory."
        )
