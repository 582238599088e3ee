"""Fits by transformers' Trainer in fp32: with its defaults, and on the batches of our engine."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from curves_records import Arm, Fit
from engine_records import Features
from engine_trainer import LayeredTrainer, accuracy_of
from engine_work import Work
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PrinterCallback,
    TrainingArguments,
)

from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import FolderEncoder
from finetune_alf.rates import LayerRates
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import shuffled_batches


class TrainerFits:
    """Trainer on one work's texts, with a rate for each address."""

    def __init__(self, work: Work, features: dict[str, Features], rates: LayerRates, folder: Path) -> None:
        """Take token ids by split, and the folder of encoder and tokenizer."""
        self.work, self.features, self.rates, self.folder = work, features, rates, folder

    def plain(self, arm: Arm, seed: int) -> Fit:
        """Fit with Trainer's defaults: it draws the head, the order and dropout from its seed."""

        def model_init() -> torch.nn.Module:
            model: torch.nn.Module = AutoModelForSequenceClassification.from_pretrained(self.folder, num_labels=2)
            return model

        return self._fit(LayeredTrainer, arm, seed, model_init=model_init)

    def same_batches(self, arm: Arm, seed: int, without_dropout: FolderEncoder) -> Fit:
        """Fit an encoder without dropout, with the initial head and the batches of our engine for this seed."""
        encoder = load_encoder(without_dropout, n_labels=2)
        encoder.reset(child_seed(seed, "head"))
        kind = _ReversedBatches if arm == "same-reversed" else _OurBatches
        return self._fit(kind, arm, seed, model=encoder.model)

    def _fit(self, kind: type[LayeredTrainer], arm: Arm, seed: int, **model: Any) -> Fit:
        with tempfile.TemporaryDirectory() as folder:
            trainer = kind(
                args=self._arguments(seed, folder),
                train_dataset=self.features["train"],
                eval_dataset=self.features["validation"],
                data_collator=DataCollatorWithPadding(AutoTokenizer.from_pretrained(self.folder)),
                compute_metrics=accuracy_of,
                **model,
            )
            trainer.remove_callback(PrinterCallback)
            trainer.rates = self.rates
            trainer.train()
        assert {parameter.dtype for parameter in trainer.model.parameters()} == {torch.float32}
        return _read(arm, seed, trainer.state.log_history)

    def _arguments(self, seed: int, folder: str) -> TrainingArguments:
        """Keep Trainer's defaults of training: AdamW, linear decay, clipping at 1."""
        return TrainingArguments(
            output_dir=folder,
            num_train_epochs=self.work.epochs,
            per_device_train_batch_size=self.work.batch,
            per_device_eval_batch_size=self.work.batch,
            eval_strategy="epoch",
            logging_strategy="epoch",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            seed=seed,
        )


class _OurBatches(LayeredTrainer):
    direction = 1

    def _get_train_sampler(self, train_dataset: Any = None) -> "_Batches":
        return _Batches(len(self.train_dataset), self.args.train_batch_size, self.args.seed, self.direction)


class _ReversedBatches(_OurBatches):
    """The same steps with another rounding order."""

    direction = -1


class _Batches(torch.utils.data.Sampler[int]):
    """Yields the next epoch's rows in each iteration, each batch in order (1) or reversed (-1)."""

    def __init__(self, n_texts: int, batch: int, seed: int, direction: int) -> None:
        self.n_texts, self.batch, self.seed, self.direction = n_texts, batch, seed, direction
        self.epoch = 0

    def __len__(self) -> int:
        return self.n_texts

    def __iter__(self) -> Iterator[int]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        for rows in shuffled_batches(self.n_texts, self.batch, self.seed, epoch):
            yield from rows[:: self.direction]


def _read(arm: Arm, seed: int, history: list[dict[str, float]]) -> Fit:
    def of(name: str) -> tuple[float, ...]:
        return tuple(entry[name] for entry in history if name in entry)

    return Fit(
        arm=arm,
        seed=seed,
        precision="fp32",
        train_loss=of("loss"),
        validation_loss=of("eval_loss"),
        validation_accuracy=of("eval_accuracy"),
    )
