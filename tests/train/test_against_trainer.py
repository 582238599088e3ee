"""With uniform rates, no dropout and fp32 the training loop takes the steps of transformers' Trainer."""

import pytest
import torch
from transformers import Trainer, TrainingArguments

from finetune_alf.rates import UniformRates
from finetune_alf.recipe import AdamW, ConstantCurve, LinearCurve
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import shuffled_batches
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.padded import padded
from tiny import task_splits, tiny_recipe, tokenized_split

SEED, RATE = 3, 1e-3


class SameBatches(Trainer):
    """Trainer with our batches in our order."""

    def __init__(self, batches, **settings):
        super().__init__(**settings)
        self.batches, self.losses = batches, []

    def get_train_dataloader(self):
        return self.batches

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        self.losses.append(loss.item())
        return loss


@pytest.mark.filterwarnings("ignore")  # Trainer's own
@pytest.mark.parametrize("curve", [ConstantCurve(), LinearCurve(warmup_frac=0.25)])
def test_losses_and_weights_agree_step_by_step(loaded_without_dropout, curve, tmp_path):
    encoder = loaded_without_dropout
    recipe = tiny_recipe(
        rates=UniformRates(rate=RATE), curve=curve, optimizer=AdamW(weight_decay=0.01), epochs=2, batch=4
    )
    result = fit(encoder, task_splits(encoder), recipe, SEED)
    ours = {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}

    encoder.reset(child_seed(SEED, "head"))
    split = tokenized_split(encoder)
    rows = [some for epoch in range(2) for some in shuffled_batches(len(split), 4, SEED, epoch)]
    batches = [padded(split.table, some) | {"labels": split.labels[some]} for some in rows]
    trainer = SameBatches(
        batches,
        model=encoder.model,
        args=TrainingArguments(
            output_dir=str(tmp_path),
            learning_rate=RATE,
            lr_scheduler_type="constant" if isinstance(curve, ConstantCurve) else "linear",
            warmup_steps=0 if isinstance(curve, ConstantCurve) else 2,
            weight_decay=0.01,
            max_grad_norm=1.0,
            max_steps=len(batches),
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        ),
    )
    trainer.train()
    by_epoch = [sum(trainer.losses[start : start + 4]) / 4 for start in (0, 4)]
    assert [record.train_loss for record in result.epochs] == pytest.approx(by_epoch, rel=1e-6)
    for name, parameter in encoder.model.named_parameters():
        assert torch.allclose(parameter, ours[name], rtol=0, atol=1e-6), name
