"""The peer of gpu.py: transformers' Trainer on the same texts, as it comes and tuned, its model loaded beforehand."""

import tempfile
from importlib import util
from typing import Any

import torch
from gpu_timing import Measurement, measure
from gpu_work import BATCH, ENCODERS, RATE, Texts, Work, encoder_of, flops_of, texts_of

VARIANTS = ("Trainer as it comes", "Trainer, tuned")
"""Tuned: bf16, batches of texts of similar length, two loader processes."""


def trainer(variant: str, encoder_name: str, work: Work, device: str) -> Measurement:
    """Time one epoch of training and one evaluation."""
    is_tuned = variant == VARIANTS[1]
    precision = "bf16" if is_tuned else "fp32"
    line = Measurement("trainer", encoder_name, work.texts, variant, precision)
    line.n_texts, line.flops = work.n_train + work.n_validation, flops_of(work, encoder_name)
    encoder_of.cache_clear()  # its memory is not Trainer's
    if not util.find_spec("accelerate"):
        line.problem = "accelerate is not installed"
        return line
    with tempfile.TemporaryDirectory() as folder:
        made = _trainer(folder, is_tuned, encoder_name, work, device)
        return measure(line, lambda: float(made.train().training_loss), device)


def _trainer(folder: str, is_tuned: bool, encoder_name: str, work: Work, device: str) -> Any:
    from transformers import AutoConfig, AutoModelForSequenceClassification, PrinterCallback, Trainer

    config = AutoConfig.for_model(**ENCODERS[encoder_name], num_labels=2)
    model = AutoModelForSequenceClassification.from_config(config)
    train, validation = (_rows(texts) for texts in texts_of(work))
    arguments = _arguments(folder, is_tuned, device)
    made = Trainer(model, arguments, _collator(config.pad_token_id), train_dataset=train, eval_dataset=validation)
    made.remove_callback(PrinterCallback)
    return made


def _arguments(folder: str, is_tuned: bool, device: str) -> Any:
    from transformers import TrainingArguments

    tuned = {"bf16": True, "train_sampling_strategy": "group_by_length", "dataloader_num_workers": 2}
    return TrainingArguments(
        output_dir=folder,
        num_train_epochs=1,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=BATCH,
        learning_rate=RATE,
        eval_strategy="epoch",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=device == "cpu",
        **(tuned if is_tuned else {}),
    )


def _rows(texts: Texts) -> list[dict[str, Any]]:
    return [{"input_ids": list(ids), "labels": label} for ids, label in zip(texts.ids, texts.labels, strict=True)]


def _collator(pad_token_id: int) -> Any:
    """Return the function that pads a batch to its longest text."""

    def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        masks = [torch.ones_like(text) for text in ids]
        return {
            "input_ids": torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad_token_id),
            "attention_mask": torch.nn.utils.rnn.pad_sequence(masks, batch_first=True),
            "labels": torch.tensor([row["labels"] for row in rows]),
        }

    return collate
