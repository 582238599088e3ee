"""Without dropout and in fp32 the training loop takes the steps of Trainer, also with the rates of a schedule."""

import pytest
import torch
from transformers import Trainer, TrainingArguments

from finetune_alf.rates import LayerRates, UniformRates
from finetune_alf.recipe import AdamW, ConstantCurve, GradualUnfreezing, LinearCurve
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import shuffled_batches
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.padded import padded
from tiny import task_splits, tiny_recipe, tiny_schedule, tokenized_split

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


def same_batches(encoder):
    split = tokenized_split(encoder)
    rows = [some for epoch in range(2) for some in shuffled_batches(len(split), 4, SEED, epoch)]
    return [padded(split.table, some) | {"labels": split.labels[some]} for some in rows]


@pytest.mark.filterwarnings("ignore")  # Trainer's own
@pytest.mark.parametrize(
    "curve", [LinearCurve(warmup_frac=0.25), pytest.param(ConstantCurve(), marks=pytest.mark.long)]
)
def test_losses_and_weights_agree_step_by_step(loaded_without_dropout, curve, tmp_path):
    encoder = loaded_without_dropout
    recipe = tiny_recipe(
        rates=UniformRates(rate=RATE), curve=curve, optimizer=AdamW(weight_decay=0.01), epochs=2, batch=4
    )
    result = fit(encoder, task_splits(encoder), recipe, SEED)
    ours = {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}

    encoder.reset(child_seed(SEED, "head"))
    batches = same_batches(encoder)
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


@pytest.mark.filterwarnings("ignore")  # Trainer's own
def test_a_schedule_under_trainer_gives_the_weights_of_our_own_fit(loaded_without_dropout, tmp_path):
    encoder = loaded_without_dropout
    schedule = tiny_schedule(
        LayerRates.of(1e-4, [0, 1e-3, 2e-3], 3e-3),
        curve=LinearCurve(warmup_frac=0.25),
        optimizer=AdamW(weight_decay=0.01, eps=1e-4),  # Adam blows up the rounding of gradients near 0
        unfreezing=GradualUnfreezing(start="head"),
        epochs=2,
    )
    fit(encoder, task_splits(encoder), schedule.recipe, SEED)
    ours = {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}

    encoder.reset(child_seed(SEED, "head"))
    before = {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}
    batches = same_batches(encoder)
    settings = {"output_dir": str(tmp_path), "save_strategy": "no", "report_to": [], "use_cpu": True}
    kwargs = schedule.trainer_kwargs(encoder.model, **settings, disable_tqdm=True)
    SameBatches(TwoEpochs(batches), model=encoder.model, **kwargs).train()
    moved = {name for name, parameter in encoder.model.named_parameters() if not parameter.equal(before[name])}
    assert {name for name in moved if "layer.2" in name}
    assert not {name for name in moved if "layer.1" in name or "layer.0" in name or "embeddings" in name}
    for name, parameter in encoder.model.named_parameters():
        assert torch.allclose(parameter, ours[name], rtol=0, atol=1e-6), name


class TwoEpochs:
    """Batches of two epochs, half of them each time."""

    def __init__(self, batches):
        self.halves = [batches[:4], batches[4:]]

    def __len__(self):
        return 4

    def __iter__(self):
        self.halves.append(self.halves.pop(0))
        return iter(self.halves[-1])
