"""The peers that everybody has: Hugging Face's Trainer searching with Optuna, with its defaults and tuned.

What a competent user does is in both: frozen addresses get `requires_grad=False`, each address its own rate through
`create_optimizer`, padding reaches to the longest text of a batch only, evaluation comes once an epoch, on batches as
large as training's, and the model is loaded anew for each trial by `model_init`. Pruning is off: all trials end.
"""

import contextlib
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import optuna
import torch
from engine_counter import Counter
from engine_records import N_WARM, Asked, Counted, Curve, Done, Features, n_tokens, read_features
from engine_work import GRID, Work
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from finetune_alf.rates import LayerRates
from finetune_alf.train.optimizer import param_groups
from finetune_alf.train.precision import Precision, resolve_precision


class LayeredTrainer(Trainer):  # type: ignore[misc]
    """Trainer with a rate for each address: `rates` of the trial that runs."""

    rates: LayerRates

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Build Trainer's own optimizer over groups by address."""
        kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        settings.pop("lr")
        optimizer: torch.optim.Optimizer = kind(param_groups(self.model, self.rates), **settings)
        self.optimizer = optimizer
        return optimizer


class Losses(TrainerCallback):  # type: ignore[misc]
    """Reads the losses and steps of each trial off what Trainer logs."""

    def __init__(self) -> None:
        self.curves: list[Curve] = []
        self.n_steps = 0
        self._validation: list[float] = []
        self._train = float("nan")

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
        """Note an epoch's validation loss."""
        self._validation.append(metrics["eval_loss"])

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Note the mean training loss, which comes at the very end."""
        self._train = logs.get("train_loss", self._train)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close a trial."""
        self.curves.append(Curve(train=self._train, validation=tuple(self._validation)))
        self.n_steps += state.global_step
        self._validation = []


def run_trainer(asked: Asked, work: Work) -> Done:
    """Do a work's trials in one `hyperparameter_search`."""
    precision = resolve_precision("auto", torch.device(asked.device)) if asked.peer == "tuned" else "fp32"
    features = read_features(asked.drawn.features)
    vectors = work.vectors(asked.mode, asked.n_layers)
    counter, losses = Counter(), Losses()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        setup_s = _search(_warm(features), vectors[:1], asked, work, precision, Counter(), Losses(), epochs=1)
        wall_s = _search(features, vectors, asked, work, precision, counter, losses, epochs=work.epochs)
    return Done(
        work=work.name,
        peer=asked.peer,
        repeat=asked.repeat,
        wall_s=wall_s,
        setup_s=setup_s,
        peak_mib=counter.peak_mib(asked.device),
        precision=precision,
        counted=Counted(
            n_trials=len(losses.curves),
            n_epochs=sum(len(curve.validation) for curve in losses.curves),
            n_steps=losses.n_steps,
            n_trained=counter.n_trained,
            n_evaluated=counter.n_evaluated,
            n_tokens=n_tokens(features),
        ),
        curves=tuple(losses.curves),
    )


def _warm(features: dict[str, Features]) -> dict[str, Features]:
    return {"train": features["train"][:N_WARM], "validation": features["validation"][:2]}


def _search(
    features: dict[str, Features],
    vectors: Sequence[LayerRates],
    asked: Asked,
    work: Work,
    precision: Precision,
    counter: Counter,
    losses: Losses,
    *,
    epochs: int,
) -> float:
    """Search over these rates. Returns the seconds it took, from the call to its return."""
    tokenizer = AutoTokenizer.from_pretrained(asked.folder)

    def model_init(trial: optuna.Trial | None) -> torch.nn.Module:
        model: torch.nn.Module = AutoModelForSequenceClassification.from_pretrained(asked.folder, num_labels=2)
        counter.watch(model)
        return model

    def hp_space(trial: optuna.Trial) -> dict[str, float]:
        """Ask the sampler, as a user does, and take the listed rates in place of its answer."""
        for address in list(vectors[trial.number])[:-1]:
            trial.suggest_categorical(f"rates.{address}", GRID)
        trainer.rates = vectors[trial.number]
        return {}

    trainer = LayeredTrainer(
        model_init=model_init,
        args=_arguments(asked, work, precision, epochs),
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
        sampler=optuna.samplers.TPESampler(seed=asked.seed),
        pruner=optuna.pruners.NopPruner(),
    )
    return time.perf_counter() - started


def _arguments(asked: Asked, work: Work, precision: Precision, epochs: int) -> TrainingArguments:
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
        use_cpu=asked.device == "cpu",
        seed=asked.seed,
        **(tuned if asked.peer == "tuned" else {}),
    )


def accuracy_of(said: Any) -> dict[str, float]:
    """Return the share of right answers, as Trainer asks for it."""
    return {"accuracy": float((said.predictions.argmax(-1) == said.label_ids).mean())}
