"""A schedule for transformers' Trainer: its arguments, its optimizer, and a callback for what Trainer cannot set.

Trainer's own scheduler knows neither all curves nor rates by address. So the callback sets the rate of each group right
before each optimizer step, from the number of the step alone, and a run that is resumed continues as it would have.
"""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import get_reporting_integration_callbacks

from finetune_alf.compute.resolved import resolve_device, resolve_precision
from finetune_alf.errors import ScheduleError
from finetune_alf.rates import rate_source
from finetune_alf.recipe import CosineCurve, Curve, ExponentialCurve, ImmediateUnfreezing, LinearCurve, Recipe
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.train.frozen import frozen_by_user, mark_frozen

log = logging.getLogger(__name__)


def training_arguments(schedule: Schedule, settings: Mapping[str, Any]) -> TrainingArguments:
    """Return the recipe's arguments, under the user's own settings."""
    recipe = schedule.recipe
    _check_trainable(schedule)
    own: dict[str, Any] = {
        "num_train_epochs": recipe.epochs,
        "per_device_train_batch_size": recipe.batch,
        "learning_rate": max(schedule.rates.values()),
        "weight_decay": recipe.optimizer.weight_decay,
        "max_grad_norm": recipe.clip or 0.0,
        "bf16": schedule.provenance.precision == "bf16",
        **_scheduler(recipe.curve),
    }
    if not isinstance(recipe.unfreezing, ImmediateUnfreezing):
        own["ddp_find_unused_parameters"] = True  # which Trainer leaves out under gradient checkpointing
    if recipe.steps_per_epoch and "num_train_epochs" not in settings:
        own["max_steps"] = recipe.epochs * recipe.steps_per_epoch
    if recipe.early_stopping:
        own |= _each_epoch("logging", recipe)  # its losses are those that are logged
    if recipe.keep == "best":
        metric = schedule.confirmed.metric if schedule.confirmed else "loss"
        own |= _each_epoch("eval", recipe) | _each_epoch("save", recipe)
        own |= {"load_best_model_at_end": True, "metric_for_best_model": metric}
    if own["bf16"] and "bf16" not in settings and not _has_bf16(bool(settings.get("use_cpu"))):
        own["bf16"] = False
        message = "schedule %s was found in bf16, which Trainer cannot use on this machine: it computes in fp32"
        log.warning(message, schedule.name)
    try:
        return TrainingArguments(**{**own, **settings})
    except ImportError as error:
        if "accelerate" not in str(error):
            raise
        raise ScheduleError("transformers' Trainer needs accelerate: run `pip install accelerate`.") from error


def trainer_kwargs(schedule: Schedule, model: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return args, optimizers and callbacks; reporters come after the schedule's callback, and see its rates."""
    args = training_arguments(schedule, settings)
    reporters = get_reporting_integration_callbacks(args.report_to)
    args.report_to = []
    return {
        "args": args,
        "optimizers": (schedule.optimizer(model), None),
        "callbacks": [ScheduleCallback(schedule), *reporters],
    }


class ScheduleCallback(TrainerCallback):  # type: ignore[misc]
    """Sets the rate of each group, unfreezes, stops early, and logs the rates."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.recipe = schedule, schedule.recipe
        self._used: dict[str, float] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **objects: Any
    ) -> None:
        """Check that the optimizer has the groups of the schedule."""
        if not all("address" in group for group in objects["optimizer"].param_groups):
            raise ScheduleError(
                f"schedule {self.schedule.name}: the optimizer has groups without an address. "
                "Pass Trainer optimizers=(schedule.optimizer(model), None)."
            )
        if self.recipe.early_stopping and not self._logs_epochs(args):
            needed = ", ".join(f"{name}={value!r}" for name, value in _each_epoch("logging", self.recipe).items())
            log.warning(
                "the schedule's early stopping is left out, because it reads the losses of whole epochs. "
                "Set %s to have it.",
                needed,
            )

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **objects: Any
    ) -> None:
        """Open the addresses that learn from this epoch on, also where a run is resumed within an epoch."""
        self._open(self._epoch_of(state), objects)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **objects: Any
    ) -> None:
        """Open them where an epoch of the recipe begins that is none of Trainer's, which is once over the texts."""
        length = self.recipe.steps_per_epoch
        if length and state.global_step % length == 0:
            self._open(self._epoch_of(state), objects)

    def _epoch_of(self, state: TrainerState) -> int:
        """Return the epoch of the next step, from 0: of the recipe's own length, or once over the texts."""
        length = self.recipe.steps_per_epoch
        return state.global_step // length if length else int((state.epoch or 0) + 1e-6)

    def _open(self, epoch: int, objects: Mapping[str, Any]) -> None:
        """Open the addresses that learn in this epoch, from 0, but for what the user froze."""
        model = objects["model"]
        frozen = frozen_by_user(model)
        kept = {id(parameter) for name, parameter in model.named_parameters() if name in frozen}
        for group in objects["optimizer"].param_groups:
            address = rate_source(group["address"])
            is_unfrozen = self.recipe.unfreezing.is_unfrozen(address, epoch, self.schedule.rates.n_layers)
            for parameter in group["params"]:
                parameter.requires_grad_(is_unfrozen and id(parameter) not in kept)
        mark_frozen(model, frozen)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **objects: Any
    ) -> None:
        """Set the rates of this step."""
        curve = self.recipe.curve
        if isinstance(curve, ExponentialCurve):  # by epochs, of which Trainer's last may be cut short
            factor = curve.decay ** self._epoch_of(state)
        else:
            factor = curve.at(state.global_step, state.max_steps, state.num_train_epochs)
        for group in objects["optimizer"].param_groups:
            group["lr"] = self.schedule.rates[group["address"]] * factor
            self._used[group["address"]] = group["lr"]

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **objects: Any,
    ) -> None:
        """Add the rates of the last step to what is logged of training, and stop where the losses no longer fall."""
        if logs is None or "loss" not in logs:
            return
        rates = {f"lr/{address}": rate for address, rate in self._used.items()}
        logs.update(rates)
        state.log_history[-1].update(rates)
        stopping = self.recipe.early_stopping
        if stopping and self._logs_epochs(args):
            losses = [each["loss"] for each in state.log_history if "loss" in each]  # also of before it was resumed
            control.should_training_stop |= stopping.should_stop(losses)

    def _logs_epochs(self, args: TrainingArguments) -> bool:
        """Return whether a loss that is logged is that of an epoch of the recipe."""
        return all(getattr(args, name) == value for name, value in _each_epoch("logging", self.recipe).items())


def _each_epoch(what: str, recipe: Recipe) -> dict[str, Any]:
    """Return the arguments with which Trainer does something after each epoch of the recipe."""
    if recipe.steps_per_epoch is None:
        return {f"{what}_strategy": "epoch"}
    return {f"{what}_strategy": "steps", f"{what}_steps": recipe.steps_per_epoch}


def _has_bf16(use_cpu: bool) -> bool:
    """Return whether Trainer can compute in bf16 here: on a CPU that has instructions for it, only under `use_cpu`."""
    device = torch.device("cpu") if use_cpu else resolve_device("auto")
    return (use_cpu or device.type != "cpu") and resolve_precision("auto", device) == "bf16"


def _check_trainable(schedule: Schedule) -> None:
    recipe = schedule.recipe
    unknown = [name for name in ("tasks", "objective") if getattr(recipe, name) is not None]
    if unknown:
        raise ScheduleError(
            f"schedule {schedule.name}: its recipe has {' and '.join(unknown)}, which Trainer cannot train. "
            "Take its optimizer alone: schedule.optimizer(model)."
        )
    left_out = {
        "pooling: mean": recipe.pooling == "mean",
        "frozen_dropout: off": recipe.frozen_dropout == "off",
        "class_weights": recipe.class_weights is not None,
        "class_sampling: balanced": recipe.class_sampling == "balanced",
    }
    for name in (name for name, is_there in left_out.items() if is_there):
        log.warning("schedule %s: Trainer has no setting for %s of its recipe", schedule.name, name)


def _scheduler(curve: Curve) -> dict[str, Any]:
    """Return Trainer's nearest curve, for what it logs as `learning_rate`; the callback sets the exact one."""
    if isinstance(curve, LinearCurve | CosineCurve):
        return {"lr_scheduler_type": curve.kind, "warmup_steps": curve.warmup_frac}
    return {"lr_scheduler_type": "constant"}
