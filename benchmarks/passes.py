"""Compare a training step with steps whose optimizer makes fewer passes over gradients, or keeps their memory.

    python benchmarks/passes.py         two minutes

MiniLM on the packaged film reviews, nothing frozen, one thread. Fits of one batch take turns, one fit of each way after
another; the milliseconds of a step are the median of its CPU time over all fits of a way, and a ratio is the median of
those within a round. *Equal* says whether the training losses are those of today's step to the bit. The ways:

* kept: gradients are set to zero after a step, where today they are freed;
* by group: a group's gradients are clipped just before AdamW reads them, where today all are clipped first;
* in AdamW: its kernel clips, by the argument that is meant for scaled losses.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from engine_setup import Preparation, prepare
from engine_work import WORKS
from roofline import tokenized
from roofline_profile import Times
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from finetune_alf.compute import ComputeSpec, resolve
from finetune_alf.data.sample import load_sample
from finetune_alf.encoder.load import Encoder, load_encoder
from finetune_alf.train.fit import fit
from finetune_alf.train.optimizer import LayerwiseOptimizer
from finetune_alf.train.parts import TaskSplits

N_STEPS = 12
"""Steps of a fit; the first two are for warming up."""

Step = Callable[[LayerwiseOptimizer, int], None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--encoder", choices=["minilm", "tiny"], default="minilm")
    args = parser.parse_args()
    torch.set_num_threads(1)
    work = next(work for work in WORKS if work.name == "mini")
    with tempfile.TemporaryDirectory() as folder:
        task = Preparation(encoder=args.encoder, mode="quick", works=(work.name,), data=None, root=folder)
        prepared = prepare(task)
        encoder = load_encoder(prepared.encoder, n_labels=2)
        texts = load_sample(Path(prepared.texts[work.name].sample)).splits["train"]
    split = tokenized(encoder, texts.texts[: work.batch], texts.labels[: work.batch], work.max_tokens)
    recipe = work.recipe().model_copy(update={"epochs": N_STEPS})
    print(table(measure(encoder, TaskSplits(split, split, split), recipe, args.rounds)), end="")
    return 0


def measure(
    encoder: Encoder, tasks: TaskSplits, recipe: Any, n_rounds: int
) -> dict[str, list[tuple[float, list[Any]]]]:
    """Return the median CPU seconds of a step, and the training losses, of each fit of each way."""
    precision = resolve(ComputeSpec(device="cpu", n_threads=1)).precision
    found: dict[str, list[tuple[float, list[Any]]]] = {way: [] for way in WAYS}
    for _ in range(n_rounds):
        for way, step in WAYS.items():
            times = Times()
            with patch.object(LayerwiseOptimizer, "step", step), times.of_fits():
                result = fit(encoder, tasks, recipe, 0, precision=precision)
            found[way].append((median(times.steps[2:]), [epoch.train_loss for epoch in result.epochs]))
    return found


def table(found: dict[str, list[tuple[float, list[Any]]]]) -> str:
    """Return the page: each way beside the first one."""
    today = next(iter(found.values()))
    lines = ["| step | ms | of today's | equal |", "|---|---:|---:|---|"]
    for way, fits in found.items():
        ratio = median(own / one for (own, _), (one, _) in zip(fits, today, strict=True))
        is_equal = all(losses == today[0][1] for _, losses in fits)
        milliseconds = median(own for own, _ in fits) * 1e3
        lines.append(f"| {way} | {milliseconds:.1f} | {ratio:.3f} | {'yes' if is_equal else 'no'} |")
    return "\n".join(lines) + "\n"


def _set_rates(own: LayerwiseOptimizer, step: int) -> None:
    factor = own._recipe.curve.at(step, own._n_steps, own._recipe.epochs)
    for group in own.optimizer.param_groups:
        group["lr"] = own._rates[group["address"]] * factor


def _norm(own: LayerwiseOptimizer) -> torch.Tensor:
    return get_total_norm([p.grad for p in own.parameters() if p.grad is not None])


def _kept(own: LayerwiseOptimizer, step: int) -> None:
    with patch.object(own.optimizer, "zero_grad", lambda **_: torch.optim.Optimizer.zero_grad(own.optimizer, False)):
        _today(own, step)


def _by_group(own: LayerwiseOptimizer, step: int) -> None:
    _set_rates(own, step)
    norm, limit, groups = _norm(own), own._recipe.clip or float("inf"), own.optimizer.param_groups
    for group in groups:
        if norm > limit:
            clip_grads_with_norm_(group["params"], limit, norm)
        own.optimizer.param_groups = [group]
        own.optimizer.step()
    own.optimizer.param_groups = groups
    own.optimizer.zero_grad(set_to_none=True)


def _in_adamw(own: LayerwiseOptimizer, step: int) -> None:
    _set_rates(own, step)
    norm, limit = _norm(own), own._recipe.clip or float("inf")
    own.optimizer.grad_scale = (norm + 1e-6) / limit if norm > limit else None  # type: ignore[attr-defined]
    own.optimizer.step()
    own.optimizer.zero_grad(set_to_none=True)


_today = LayerwiseOptimizer.step
WAYS: dict[str, Step] = {"today": _today, "kept": _kept, "by group": _by_group, "in AdamW": _in_adamw}

if __name__ == "__main__":
    sys.exit(main())
