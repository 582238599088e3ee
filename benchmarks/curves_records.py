"""The arms of fits that are compared, and the record of one fit."""

from typing import Literal

from finetune_alf.spec import Spec

Arm = Literal[
    "trainer",
    "trainer-2",
    "fp32",
    "bf16",
    "same-trainer",
    "same-reversed",
    "same-fp32",
    "paired-fp32",
    "paired-bf16",
]

ARMS: dict[Arm, str] = {
    "trainer": "Trainer, fp32",
    "trainer-2": "Trainer, fp32, other seeds",
    "fp32": "finetune_alf, fp32",
    "bf16": "finetune_alf, bf16",
    "same-trainer": "Trainer, fp32",
    "same-reversed": "Trainer, fp32, each batch in reverse order",
    "same-fp32": "finetune_alf, fp32",
    "paired-fp32": "finetune_alf, fp32, the seeds of a pair",
    "paired-bf16": "finetune_alf, bf16, the seeds of a pair",
}

SEEDED: tuple[Arm, ...] = ("trainer", "trainer-2", "fp32", "bf16")
"""The arms with many seeds; Trainer's second one is the reference."""

SAME: tuple[Arm, ...] = ("same-trainer", "same-reversed", "same-fp32")
"""One fit each, all with the same initial head and the same batches, without dropout."""

PAIRED: tuple[Arm, ...] = ("paired-fp32", "paired-bf16")
"""Our engine in both precisions with the same seeds: one initial head and one order of texts for each pair."""

QUANTITIES = {
    "train_loss": "training loss",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
}


class Fit(Spec):
    """One fit's curves, a number an epoch: mean losses in nats a text, and accuracy."""

    arm: Arm
    seed: int
    precision: Literal["fp32", "bf16"]
    train_loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...]
