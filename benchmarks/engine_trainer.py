"""Two peers: transformers' Trainer with Optuna, with its defaults and tuned.

Both do what a competent user does: frozen addresses have `requires_grad=False`, each address has its own rate through
`create_optimizer`, batches are padded to their longest text, evaluation happens once an epoch, on batches of the
training size, and `model_init` loads the model anew for each trial. Nothing is pruned.
"""

import contextlib
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import optuna
import torch
from engine_counter import Counter
from engine_records import N_WARM_UP, Curve, Features, PeerResult, PeerTask, WorkCounts, n_tokens, read_features
from engine_work import GRID, Work
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from finetune_alf.compute import Precision
from finetune_alf.compute.resolved import resolve_precision
from finetune_alf.rates import LayerRates
from finetune_alf.train.optimizer import param_groups


class LayeredTrainer(Trainer):  # type: ignore[misc]
    """Trainer with a rate for each address: `rates` of the running trial."""

    rates: LayerRates

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Create Trainer's own optimizer with parameter groups by address."""
        kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        settings.pop("lr")
        optimizer: torch.optim.Optimizer = kind(param_groups(self.model, self.rates), **settings)
        self.optimizer = optimizer
        return optimizer


class Losses(TrainerCallback):  # type: ignore[misc]
    """Collects the losses and steps of each trial from Trainer's logs."""

    def __init__(self) -> None:
        self.curves: list[Curve] = []
        self.n_steps = 0
        self._validation: list[float] = []
        self._train = float("nan")

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
        """Record an epoch's validation loss."""
        self._validation.append(metrics["eval_loss"])

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Record the mean training loss, which is logged at the end."""
        self._train = logs.get("train_loss", self._train)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Finish a trial."""
        self.curves.append(Curve(train=self._train, validation=tuple(self._validation)))
        self.n_steps += state.global_step
        self._validation = []


def run_trainer(task: PeerTask, work: Work) -> PeerResult:
    """Run a work's trials in one `hyperparameter_search`."""
    precision = resolve_precision("auto", torch.device(task.device)) if task.peer == "tuned" else "fp32"
    features = read_features(task.texts.features)
    vectors = work.vectors(task.mode, task.n_layers)
    counter, losses = Counter(), Losses()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        setup_s = _search(_warm_up(features), vectors[:1], task, work, precision, Counter(), Losses(), epochs=1)
        wall_s = _search(features, vectors, task, work, precision, counter, losses, epochs=work.epochs)
    return PeerResult(
        work=work.name,
        peer=task.peer,
        repeat=task.repeat,
        wall_s=wall_s,
        setup_s=setup_s,
        peak_mib=counter.peak_mib(task.device),
        precision=precision,
        counts=WorkCounts(
            n_trials=len(losses.curves),
            n_epochs=sum(len(curve.validation) for curve in losses.curves),
            n_steps=losses.n_steps,
            n_trained=counter.n_trained,
            n_evaluated=counter.n_evaluated,
            n_tokens=n_tokens(features),
        ),
        curves=tuple(losses.curves),
    )


def _warm_up(features: dict[str, Features]) -> dict[str, Features]:
    return {"train": features["train"][:N_WARM_UP], "validation": features["validation"][:2]}


def _search(
    features: dict[str, Features],
    vectors: Sequence[LayerRates],
    task: PeerTask,
    work: Work,
    precision: Precision,
    counter: Counter,
    losses: Losses,
    *,
    epochs: int,
) -> float:
    """Search over these rates. Returns the seconds from the call to its return."""
    tokenizer = AutoTokenizer.from_pretrained(task.folder)

    def model_init(trial: optuna.Trial | None) -> torch.nn.Module:
        model: torch.nn.Module = AutoModelForSequenceClassification.from_pretrained(task.folder, num_labels=2)
        counter.watch(model)
        return model

    def hp_space(trial: optuna.Trial) -> dict[str, float]:
        """Let the sampler suggest, as a user does, and use the given rates instead."""
        for address in list(vectors[trial.number])[:-1]:
            trial.suggest_categorical(f"rates.{address}", GRID)
        trainer.rates = vectors[trial.number]
        return {}

    trainer = LayeredTrainer(
        model_init=model_init,
        args=_arguments(task, work, precision, epochs),
        train_dataset=features["train"],
        eval_dataset=features["validation"],
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_metrics=accuracy_of,
        callbacks=[losses],
    )
    started = time.perf_counter()
    trainer.hyperparameter_search(
        hp_space=hp_space,
        compute_objective=lambda metrics: metrics["eval_accuracy"],
        n_trials=len(vectors),
        direction="maximize",
        backend="optuna",
        sampler=optuna.samplers.TPESampler(seed=task.seed),
        pruner=optuna.pruners.NopPruner(),
    )
    return time.perf_counter() - started


def _arguments(task: PeerTask, work: Work, precision: Precision, epochs: int) -> TrainingArguments:
    tuned = {
        "bf16": precision == "bf16",
        "train_sampling_strategy": "group_by_length",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    return TrainingArguments(
        output_dir="trials",
        num_train_epochs=epochs,
        per_device_train_batch_size=work.batch,
        per_device_eval_batch_size=work.batch,
        eval_strategy="epoch",
        use_cpu=task.device == "cpu",
        seed=task.seed,
        **(tuned if task.peer == "tuned" else {}),
    )


def accuracy_of(output: Any) -> dict[str, float]:
    """Return the accuracy, in the form that Trainer expects."""
    return {"accuracy": float((output.predictions.argmax(-1) == output.label_ids).mean())}
