"""Our engine as a ladder: each rung has all techniques of the rungs before it, and one more.

The first rung is transformers' forward pass in our loop, the last one the engine as it is. A technique is taken away by
a patch of the constant or function that is it.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from unittest.mock import patch

from gpu_timing import Measurement, measure, measure_busy
from gpu_work import Work, encoder_of, flops_of, recipe, splits_of
from torch.nn.attention import SDPBackend

from finetune_alf.compute import Precision
from finetune_alf.rates import UniformRates
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.block_attention import LIBRARY_KERNELS
from finetune_alf.train.forward.pack import GROUP_COST
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.fused import fit_fused

Without = Callable[[str], AbstractContextManager[object]]
"""Takes one technique away inside a `with` block, on a type of device."""

BLOCK_ATTENTION = "finetune_alf.train.forward.block_attention"
FIRST_RUNG = "transformers' forward pass, padded"


def _all_tokens_of_the_top(self, layer, x, batch):  # type: ignore[no-untyped-def]
    return self._all_tokens(layer, x, batch)[batch.first_index]


TECHNIQUES: dict[str, Without] = {
    "bf16": lambda _: contextlib.nullcontext(),  # the precision of the fit
    "no padding": lambda _: patch("finetune_alf.train.fit.forward_of", lambda model, *_: PaddedForward(model)),
    "the top layer for one token": lambda _: patch.object(PackedForward, "_first_tokens", _all_tokens_of_the_top),
    "torch's attention in training": lambda _: patch(f"{BLOCK_ATTENTION}.LIBRARY_ATTENTION", set()),
    "kernels without a plan a shape": lambda _: patch(
        f"{BLOCK_ATTENTION}.LIBRARY_KERNELS", (SDPBackend.CUDNN_ATTENTION, *LIBRARY_KERNELS)
    ),
    "few attention groups": lambda device: patch.dict(GROUP_COST, {device: GROUP_COST["cpu"]}),
    "batches packed ahead": lambda _: patch("finetune_alf.train.prepared.N_AHEAD", 1),
    "evaluation batches kept": lambda _: patch("finetune_alf.train.evaluate.MAX_KEPT_TOKENS", 0),
    "words that occur": lambda _: patch(
        "finetune_alf.train.fit.restrict_vocabulary", lambda *_: contextlib.nullcontext()
    ),
}
"""In the order of the rungs."""


def rungs() -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each rung and the techniques that it lacks."""
    yield FIRST_RUNG, list(TECHNIQUES)
    for index, name in enumerate(TECHNIQUES, start=1):
        yield f"+ {name}", list(TECHNIQUES)[index:]


def rung(name: str, missing: list[str], encoder_name: str, work: Work, device: str) -> Measurement:
    """Time fits without the missing techniques."""
    precision: Precision = "fp32" if "bf16" in missing else "bf16"
    line = Measurement("ladder", encoder_name, work.texts, name, precision, n_texts=work.n_train + work.n_validation)
    encoder = encoder_of(encoder_name, device)
    line.flops, splits = flops_of(work, encoder_name), splits_of(work, encoder)
    with contextlib.ExitStack() as stack:
        for technique in missing:
            stack.enter_context(TECHNIQUES[technique](device.partition(":")[0]))

        def run() -> float:
            return fit(encoder, splits, recipe(), 0, precision=precision).epochs[0].train_loss or float("nan")

        measure(line, run, device)
        if not missing:
            measure_busy(line, run, device)
    return line


def lockstep(n_members: int, encoder_name: str, work: Work, device: str) -> Measurement:
    """Time a fused fit of so many members, which differ in their rates."""
    line = Measurement("lockstep", encoder_name, work.texts, f"K = {n_members}", "bf16", n_members)
    line.n_texts = work.n_train + work.n_validation
    encoder = encoder_of(encoder_name, device)
    line.flops, splits = flops_of(work, encoder_name), splits_of(work, encoder)
    shared = recipe()
    all_rates = [UniformRates(rate=5e-5 / (1 + number), head=1e-3) for number in range(n_members)]
    recipes = [shared.model_copy(update={"rates": rates}) for rates in all_rates]

    def run() -> float:
        results = dict(fit_fused(encoder, splits, recipes, 0, precision="bf16"))
        return results[0].epochs[0].train_loss or float("nan")

    return measure(line, run, device)
