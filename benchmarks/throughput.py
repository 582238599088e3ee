"""Measure how many trials a study finishes in a second where fits take no processor, with MLflow on.

    python benchmarks/throughput.py                     serial, and pools and Ray with 2 and 4 workers: four minutes
    python benchmarks/throughput.py --executors pool --workers 4 --trials 400 --seconds 0.2

A planted fit sleeps for `--seconds` and reports three epochs, so that workers do not compete for cores, and what is
measured is the coordinator, the database and the way to MLflow. Each run has a new study with the random sampler, in a
temporary folder with a SQLite store. Ideal is the number of workers over the seconds of a fit. The time is from the
trial with which all workers are busy to the last one; the end of the stage, which waits for MLflow, stands beside it.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from throughput_fit import N_LAYERS, PlantedFit

from finetune_alf.compute import Environment
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.execute import Executor, PoolExecutor, SerialExecutor
from finetune_alf.experiments.registry import load_params
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context
from finetune_alf.running.nested_runs import epoch_of_fit, trial_run
from finetune_alf.running.parent_run import parent_run
from finetune_alf.schedules import Provenance, Schedule
from finetune_alf.study.coordinator import run_study
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.store import PendingTrial
from finetune_alf.train.result import EpochMetrics

PARAMS = """
encoders: {{tiny: {{kind: random, seed: 1, config: {{model_type: bert}}}}}}
samples: {{films: {{source: {{kind: mini, domain: films}}, n_train: 8, n_validation: 8, n_confirmation: 8, n_test: 8}}}}
studies:
  tiny:
    encoder: tiny
    sample: films
    space: {{kind: choices, rates: [0, 5e-9, 5e-8, 5e-7, 5e-6, 5e-5, 1e-4]}}
    recipe: {{rates: {{kind: uniform, rate: 5e-5, head: 1e-3}}, epochs: 3, batch: 8, max_tokens: 48}}
    sampler: random
    n_trials: {n_trials}
    seed: 7
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executors", choices=["serial", "pool", "ray"], nargs="+", default=["serial", "pool", "ray"])
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4], help="of pool and Ray")
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=0.2)
    args = parser.parse_args()
    print("| executor | workers | trials/s | ideal | of ideal | end of the stage, s |\n|---|---|---|---|---|---|")
    for name in args.executors:
        for make in executors(name, args.workers):
            with tempfile.TemporaryDirectory() as folder:
                executor = make()
                per_s, end_s = measure(Path(folder), executor, args.trials, args.seconds)
            n, ideal = executor.n_workers, executor.n_workers / args.seconds
            row = f"| {name} | {n} | {per_s:.2f} | {ideal:.2f} | {100 * per_s / ideal:.0f} % | {end_s:.1f} |"
            print(row, flush=True)
    return 0


def executors(name: str, workers: Sequence[int]) -> list[Callable[[], Executor]]:
    """Return what makes the executors of this name, one for each number of workers."""
    if name == "serial":
        return [SerialExecutor]
    if name == "pool":
        return [partial(PoolExecutor, n) for n in workers]
    from finetune_alf.execute.ray import RayCluster, RayExecutor
    from finetune_alf.execute.ray.cluster import connect

    connect(RayCluster(), max(workers))
    return [partial(RayExecutor, n) for n in workers]


def measure(root: Path, executor: Executor, n_trials: int, seconds: float) -> tuple[float, float]:
    """Return trials a second, and the seconds that the end of the stage takes."""
    (root / "params.yaml").write_text(PARAMS.format(n_trials=n_trials))
    ctx = Context(load_params(root / "params.yaml"), Paths(root))
    spec, ended = ctx.params.studies["tiny"], list[float]()
    versions = {"finetune_alf": "0"}
    environment = Environment(device="cpu", precision="fp32", n_threads=1, git_commit=None, versions=versions)
    tags = {"alf.sample": "films", "alf.sample.digest": "5a" * 32}
    with parent_run(ctx, "study/tiny/0123", "study tiny", tags) as runs:

        def on_trial(record: TrialRecord) -> None:
            ended.append(time.monotonic())
            provenance = Provenance(
                study="tiny", encoder="random", architecture="bert", n_layers=N_LAYERS, sample_name="films"
            )
            schedule = Schedule(
                name=f"trial-{record.number}", recipe=spec.recipe.with_rates(record.rates), provenance=provenance
            )
            runs.put(trial_run(f"study/tiny/0123/{record.number}", schedule, record, metric="accuracy", tags=tags))

        def on_epoch(trial: PendingTrial, epoch: EpochMetrics) -> None:
            key, recipe = f"study/tiny/0123/{trial.number}", spec.recipe.with_rates(trial.rates)
            runs.put_epoch(epoch_of_fit(key, f"trial {trial.number}", recipe, N_LAYERS, environment, epoch, tags))

        run_study(
            "tiny",
            spec,
            sample=SampleIdentity(name="films", digest="5a" * 32),
            encoder=EncoderIdentity(name="tiny", identity="random", n_layers=N_LAYERS),
            encoder_spec=ctx.params.encoders["tiny"],
            environment=environment,
            executor=executor,
            work=PlantedFit(seconds),
            paths=ctx.paths,
            on_trial=on_trial,
            on_epoch=on_epoch,
        )
        done = time.monotonic()
    first = 5 * executor.n_workers  # by then all workers have started
    return (len(ended) - 1 - first) / (ended[-1] - ended[first]), time.monotonic() - done


if __name__ == "__main__":
    sys.exit(main())
