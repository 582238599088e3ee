"""The training loop of masked language modelling, and the loss on held-out texts.

It is separate from `train/fit.py`, as its loss and its texts differ; the forward pass is the same.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.compute import Precision
from finetune_alf.compute.autocast import autocast
from finetune_alf.errors import DataError, ParamsError
from finetune_alf.experiments.adapt.batch import DECODER_CHUNK, IGNORE_INDEX, MaskedBatch, masked_batch
from finetune_alf.experiments.adapt.forward import MlmForward
from finetune_alf.experiments.adapt.masking import MaskingRule
from finetune_alf.experiments.adapt.pieces import Pieces, batches, batches_by_length
from finetune_alf.experiments.adapt.record import LossPoint
from finetune_alf.rates import setting_text
from finetune_alf.recipe import LinearCurve
from finetune_alf.seeds import child_seed
from finetune_alf.train.forward.device_copy import to_device

WEIGHT_DECAY = 0.01
"""Of matrices, not of biases and norms: Devlin et al. 2019, appendix A.2."""

MAX_GRAD_NORM = 1.0
"""As in the code of Devlin et al. 2019."""

N_LOGGED = 20
EVALUATION_BATCH = 64


OnPoint = Callable[[LossPoint], None]


@dataclass(frozen=True)
class Phase:
    """`n_steps` training steps of `batch` pieces; `rate_key` is the rate's key in params.yaml, for errors."""

    n_steps: int
    batch: int
    rate: float
    warmup_frac: float
    seed: int
    rate_key: str

    @property
    def logging_steps(self) -> tuple[int, ...]:
        """The steps after which the loss is logged: about N_LOGGED, the last step included."""
        every = math.ceil(self.n_steps / N_LOGGED)
        return (*range(every, self.n_steps, every), self.n_steps)


def train(
    forward: MlmForward, pieces: Pieces, rule: MaskingRule, phase: Phase, precision: Precision, on_point: OnPoint
) -> tuple[LossPoint, ...]:
    """Train the parameters that require gradients, and return the training loss over the steps.

    Waits for the device at the logging steps only. Raises ParamsError when training diverges.
    """
    masked_lm = forward.masked_lm
    optimizer = _optimizer(masked_lm.model, phase.rate)
    curve, order = LinearCurve(warmup_frac=phase.warmup_frac), batches(pieces.lengths, phase.batch, phase.seed)
    points: list[LossPoint] = []
    masked_lm.model.train()
    step = 0
    for end in phase.logging_steps:
        total, n_steps = torch.zeros((), device=masked_lm.device), end - step
        while step < end:
            for group in optimizer.param_groups:
                group["lr"] = phase.rate * curve.at(step, phase.n_steps, 1)
            mask_seed = child_seed(phase.seed, "mask", step)
            batch = masked_batch(pieces, next(order), rule, masked_lm.pad_token_id, mask_seed)
            total += _training_step(forward, batch, optimizer, precision)
            step += 1
        points.append(LossPoint(step=end, loss=check_finite(total.item() / n_steps, phase, f"by step {end}")))
        on_point(points[-1])
    return tuple(points)


@torch.inference_mode()
def held_out_loss(forward: MlmForward, pieces: Pieces, rule: MaskingRule, precision: Precision, seed: int) -> float:
    """Return the mean loss in nats a token; equal seeds mask equal tokens.

    Raises DataError if no token is masked, as may be where texts are few.
    """
    masked_lm = forward.masked_lm
    masked_lm.model.eval()
    total, n_masked = torch.zeros((), device=masked_lm.device), 0
    for index, rows in enumerate(batches_by_length(pieces.lengths, torch.arange(len(pieces)), EVALUATION_BATCH)):
        batch = masked_batch(pieces, rows, rule, masked_lm.pad_token_id, child_seed(seed, "held out", index))
        total += _loss_sum(forward, batch, precision)
        n_masked += batch.n_masked
    if not n_masked:
        raise DataError(
            f"held-out texts: must have a masked token, but none of their {len(pieces.input_ids)} tokens was drawn. "
            "Name a source with more texts, or raise mask_frac."
        )
    return total.item() / n_masked


def check_finite(loss: float, phase: Phase, when: str) -> float:
    """Return the loss; ParamsError if it is not finite."""
    if not math.isfinite(loss):
        raise ParamsError(
            f"{phase.rate_key}: training diverged at a rate of {setting_text(phase.rate)} (loss is {loss} {when}). "
            "Lower the rate, or raise warmup_frac."
        )
    return loss


def _training_step(
    forward: MlmForward, batch: MaskedBatch, optimizer: torch.optim.Optimizer, precision: Precision
) -> torch.Tensor:
    """Take a step on the mean loss over the masked tokens, and return it, still on the device."""
    loss = _loss_sum(forward, batch, precision) / max(batch.n_masked, 1)
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    torch.nn.utils.clip_grad_norm_(parameters, MAX_GRAD_NORM)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def _loss_sum(forward: MlmForward, batch: MaskedBatch, precision: Precision) -> torch.Tensor:
    """Return the sum of the cross-entropy over the masked tokens."""
    device = forward.masked_lm.device
    labels = torch.split(to_device(batch.labels, device), DECODER_CHUNK)
    total = torch.zeros((), device=device)
    with autocast(device, precision):
        for logits, targets in zip(forward(batch), labels, strict=True):
            total = total + F.cross_entropy(logits.float(), targets, reduction="sum", ignore_index=IGNORE_INDEX)
    return total


def _optimizer(model: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trainable if parameter.ndim > 1]
    vectors = [parameter for parameter in trainable if parameter.ndim <= 1]
    groups = [{"params": params, "weight_decay": decay} for params, decay in ((matrices, WEIGHT_DECAY), (vectors, 0.0))]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=rate, fused=True)
