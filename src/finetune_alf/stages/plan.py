"""Stage `plan`: what a study, its registration and its transfers will take, and what they took."""

import os
import time
from collections.abc import Iterable

import torch

from finetune_alf.errors import DataError
from finetune_alf.spec import Spec
from finetune_alf.stages.bench import open_bench
from finetune_alf.stages.context import Context
from finetune_alf.stages.predict import StagePlan, StagePlanner, command_for
from finetune_alf.stages.probe import N_PROBES, Probe, engine_of, shape_of

START_S = 8.0
"""What a stage takes before its first fit: libraries, encoder, sample, MLflow's store. Seen on a 2-core Xeon."""

BUSY = 0.5
"""The share of the cores that others may use before a plan mentions them."""


class StudyPlan(Spec):
    """A study, its registration and its transfers. `start_s` comes on top for each of them, as it is started."""

    study: str
    encoder: str
    device: str
    precision: str
    n_threads: int
    n_workers: int
    probe_s: float
    start_s: float
    stages: tuple[StagePlan, ...]
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """All stages that can be planned, with their starts."""
        planned = [stage.seconds for stage in self.stages if stage.seconds is not None]
        return sum(planned) + self.start_s * len(planned)


def plan(ctx: Context, name: str) -> StudyPlan:
    """Time a few steps of a study's fits, and work out what all stages with fits will take.

    Raises DataError, naming the stage to run, where the study's own sample is not prepared.
    """
    spec = ctx.study(name)
    if (command := command_for(ctx, spec.sample)) is not None:
        folder = ctx.paths.sample(spec.sample)
        raise DataError(f"{folder}: must be there to plan with, but is not. Run `{command}` first.")
    bench = open_bench(ctx, name)
    shape, engine = shape_of(bench.encoder), engine_of(bench.encoder, spec.recipe)
    probe, started, load = Probe(bench, shape, engine), time.monotonic(), os.getloadavg()[0]
    with ctx.teller.bar(f"probe {name}", N_PROBES) as bar:
        speed = probe.speed(bar)
    stages = tuple(StagePlanner(ctx, name, bench, shape, engine, probe, speed).stages())
    return StudyPlan(
        study=name,
        encoder=bench.encoder.identity,
        device=str(bench.encoder.model.device),
        precision="bf16" if engine.bytes_a_number == 2 else "fp32",
        n_threads=torch.get_num_threads(),
        n_workers=ctx.params.compute.n_workers,
        probe_s=time.monotonic() - started,
        start_s=START_S,
        stages=stages,
        notes=tuple(_notes(ctx, name, load)),
    )


def _notes(ctx: Context, name: str, load: float) -> Iterable[str]:
    """Yield what the numbers leave aside; `load` is how many programs wanted to run just before the probe."""
    spec, n_cores = ctx.study(name), os.cpu_count() or 1
    if load > BUSY * n_cores:
        yield f"Other programs keep {load:.1f} of {n_cores} cores busy: alone, everything would take less."
    if spec.recipe.stopping is not None:
        yield "recipe.stopping may end fits earlier: these are the most they can take."
    if spec.pruner is not None:
        yield "The pruner may end trials earlier: these are the most they can take."
    if ctx.params.compute.n_workers > 1:
        yield "The probe ran alone: several workers slow each other down by what it cannot tell."
