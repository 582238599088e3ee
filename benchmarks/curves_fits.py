"""The setup of all fits, with the same texts and encoder, and one fit of any arm.

Each fit has a seed, which determines the head's initial weights, the order of the texts and dropout; Trainer and our
engine draw them differently. Only the fits of `SAME` share head and order, and have no dropout.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curves_records import SAME, Arm, Fit
from curves_trainer import TrainerFits
from engine_setup import encoder_folder, features_of
from engine_work import BODY, HEAD_RATE, Sizes, Work
from transformers import AutoConfig

from finetune_alf.compute import Compute, Precision
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.sample import load_sample
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import FolderEncoder, PackageEncoder
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.rates import LayerRates, UniformRates


def _uniform(n_layers: int) -> list[LayerRates]:
    return [UniformRates(rate=BODY, head=HEAD_RATE).at(n_layers)]


REAL = Work(
    "sst2-curves",
    "SST-2, nothing frozen",
    "sst2",
    batch=16,
    max_tokens=48,
    epochs=3,
    rates=_uniform,
    sizes={"full": Sizes(256, 256, 1)},
)

PACKAGED = Work(
    "mini-curves",
    "the packaged film reviews, nothing frozen",
    "mini",
    batch=8,
    max_tokens=48,
    epochs=3,
    rates=_uniform,
    sizes={"full": Sizes(64, 72, 1), "tiny": Sizes(16, 8, 1)},
)


@dataclass(frozen=True)
class Setup:
    """What all fits share; `without_dropout` is the encoder with dropout 0."""

    work: Work
    digest: str
    encoder: FolderEncoder | PackageEncoder
    without_dropout: FolderEncoder
    rates: LayerRates
    trainer: TrainerFits
    fit_runner: FitRunner

    def fit(self, arm: Arm, seed: int) -> Fit:
        """Run one fit of an arm."""
        if arm in ("trainer", "trainer-2"):
            return self.trainer.plain(arm, seed)
        if arm in ("same-trainer", "same-reversed"):
            return self.trainer.same_batches(arm, seed, self.without_dropout)
        return self._ours(arm, seed)

    def _ours(self, arm: Arm, seed: int) -> Fit:
        recipe = self.work.recipe()
        precision: Precision = "bf16" if arm.endswith("bf16") else "fp32"
        encoder = self.without_dropout if arm in SAME else self.encoder
        job = FitJob("curves", recipe.with_rates(self.rates), encoder, self.digest, seed, precision)
        result = self.fit_runner(job, lambda metrics: True)
        return Fit(
            arm=arm,
            seed=seed,
            precision=precision,
            train_loss=tuple(_finite(epoch.train_loss) for epoch in result.epochs),
            validation_loss=tuple(_finite(epoch.validation_loss) for epoch in result.epochs),
            validation_accuracy=tuple(_finite(epoch.validation_accuracy) for epoch in result.epochs),
        )


def set_up(mode: Literal["full", "tiny"], data: str | None, root: Path) -> Setup:
    """Draw the texts and create the encoder under `root`; `data` is the folder of real texts."""
    work = REAL if data and mode == "full" else PACKAGED
    spec, folder = encoder_folder("minilm" if mode == "full" else "tiny", root / "encoder")
    digest = prepare_sample(work.name, work.sample(mode, data), root / "sample").digest
    encoder, sample = load_encoder(spec, n_labels=2), load_sample(root / "sample")
    features = {split: features_of(encoder, sample.splits[split], work.max_tokens) for split in ("train", "validation")}
    rates = work.vectors(mode, encoder.n_layers)[0]
    return Setup(
        work=work,
        digest=digest,
        encoder=spec,
        without_dropout=_without_dropout(folder, root / "without-dropout"),
        rates=rates,
        trainer=TrainerFits(work, features, rates, folder),
        fit_runner=FitRunner({digest: root / "sample"}, Compute("cpu", "fp32")),
    )


def _without_dropout(folder: Path, target: Path) -> FolderEncoder:
    shutil.copytree(folder, target)
    config = AutoConfig.from_pretrained(folder)
    for name, value in config.to_dict().items():
        if "dropout" in name and value:
            setattr(config, name, 0.0)
    config.save_pretrained(target)
    return FolderEncoder(kind="folder", path=str(target))


def _finite(value: float | None) -> float:
    assert value is not None, "a fit diverged"
    return value
