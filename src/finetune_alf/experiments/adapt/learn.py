"""The loop of further pre-training: hide, tell, step; and what a model makes of texts it has not learned from.

It is another loop than `train/fit.py`, with another loss over another stream of texts; the forward pass is the same.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.errors import DataError, ParamsError
from finetune_alf.experiments.adapt.batch import NOT_TOLD, TOLD_TOGETHER, Batch, hidden
from finetune_alf.experiments.adapt.forward import MaskedForward, sent
from finetune_alf.experiments.adapt.masking import MaskLaw
from finetune_alf.experiments.adapt.pieces import Pieces, batches, by_length
from finetune_alf.recipe import LinearCurve
from finetune_alf.seeds import child_seed
from finetune_alf.spec import Spec
from finetune_alf.train.precision import Precision, autocast

WEIGHT_DECAY = 0.01
"""Of matrices, not of biases and norms: Devlin et al. 2019, appendix A.2."""

CLIP = 1.0
"""The longest that a gradient may be, as in the code of Devlin et al."""

N_POINTS = 20
EVALUATION_BATCH = 64


class Point(Spec):
    """The mean training loss, in nats a hidden token, over the steps since the point before; steps count from 1."""

    step: int
    loss: float


Report = Callable[[Point], None]


@dataclass(frozen=True)
class Phase:
    """So many steps of so many pieces; `where` is what params.yaml calls the rate."""

    n_steps: int
    batch: int
    rate: float
    warmup_frac: float
    seed: int
    where: str

    @property
    def ends(self) -> tuple[int, ...]:
        """The steps after which the loss is told: about N_POINTS of them, the last step too."""
        every = math.ceil(self.n_steps / N_POINTS)
        return (*range(every, self.n_steps, every), self.n_steps)


def learn(
    forward: MaskedForward, pieces: Pieces, law: MaskLaw, phase: Phase, precision: Precision, report: Report
) -> tuple[Point, ...]:
    """Train what is open in a model. Returns the training loss along the way.

    The device is waited for at these points alone. Raises ParamsError where the loss is no number any more.
    """
    masked_lm = forward.masked_lm
    optimizer = _optimizer(masked_lm.model, phase.rate)
    curve, order = LinearCurve(warmup_frac=phase.warmup_frac), batches(pieces.lengths, phase.batch, phase.seed)
    points: list[Point] = []
    masked_lm.model.train()
    step = 0
    for end in phase.ends:
        total, n_steps = torch.zeros((), device=masked_lm.device), end - step
        while step < end:
            for group in optimizer.param_groups:
                group["lr"] = phase.rate * curve.at(step, phase.n_steps, 1)
            batch = hidden(pieces, next(order), law, masked_lm.pad_token_id, child_seed(phase.seed, "mask", step))
            total += _step(forward, batch, optimizer, precision)
            step += 1
        points.append(Point(step=end, loss=finite(total.item() / n_steps, phase, f"within step {end}")))
        report(points[-1])
    return tuple(points)


@torch.inference_mode()
def held_out_loss(forward: MaskedForward, pieces: Pieces, law: MaskLaw, precision: Precision, seed: int) -> float:
    """Return the mean loss in nats a hidden token; the same seed hides the same tokens.

    Raises DataError where the texts are so few that none is hidden.
    """
    masked_lm = forward.masked_lm
    masked_lm.model.eval()
    total, n_hidden = torch.zeros((), device=masked_lm.device), 0
    for index, rows in enumerate(by_length(pieces.lengths, torch.arange(len(pieces)), EVALUATION_BATCH)):
        batch = hidden(pieces, rows, law, masked_lm.pad_token_id, child_seed(seed, "held out", index))
        total += _loss(forward, batch, precision)
        n_hidden += batch.n_hidden
    if not n_hidden:
        raise DataError(
            f"held-out texts: must have a token to hide, but of their {len(pieces.ids)} none was drawn. "
            "Name a source with more texts, or raise mask_frac."
        )
    return total.item() / n_hidden


def finite(loss: float, phase: Phase, when: str) -> float:
    """Return a finite loss; ParamsError if training has diverged."""
    if not math.isfinite(loss):
        raise ParamsError(
            f"{phase.where}: training diverged (loss is {loss} {when}) at a rate of {phase.rate:g}. "
            "Lower the rate, or raise warmup_frac."
        )
    return loss


def _step(forward: MaskedForward, batch: Batch, optimizer: torch.optim.Optimizer, precision: Precision) -> torch.Tensor:
    """Take a step on the mean loss over the hidden tokens, and return it, still on the device."""
    loss = _loss(forward, batch, precision) / max(batch.n_hidden, 1)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], CLIP)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def _loss(forward: MaskedForward, batch: Batch, precision: Precision) -> torch.Tensor:
    """Return the loss summed over the hidden tokens."""
    device = forward.masked_lm.device
    truth = torch.split(sent(batch.truth, device), TOLD_TOGETHER)
    total = torch.zeros((), device=device)
    with autocast(device, precision):
        for logits, true in zip(forward(batch), truth, strict=True):
            total = total + F.cross_entropy(logits.float(), true, reduction="sum", ignore_index=NOT_TOLD)
    return total


def _optimizer(model: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
    opened = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in opened if parameter.ndim > 1]
    vectors = [parameter for parameter in opened if parameter.ndim <= 1]
    groups = [{"params": params, "weight_decay": decay} for params, decay in ((matrices, WEIGHT_DECAY), (vectors, 0.0))]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=rate, fused=True)
