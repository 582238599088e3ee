# /// script
# dependencies = ["finetune-alf", "torch>=2.10", "transformers>=5.5,<6", "lightning>=2.5"]
# ///
"""A schedule in a Lightning module with a head of its own: what lies outside the encoder is at `head`."""

import lightning
import torch
from transformers import DistilBertConfig, DistilBertModel

from finetune_alf import Schedule


class Classifier(lightning.LightningModule):
    """DistilBERT, of random weights here, and a linear layer on its first token."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule
        self.backbone = DistilBertModel(DistilBertConfig(vocab_size=100, dim=16, hidden_dim=32, n_heads=2))
        self.out = torch.nn.Linear(16, 2)

    def training_step(self, batch, index):
        """Return the loss of a batch."""
        texts, labels = batch
        first = self.backbone(input_ids=texts).last_hidden_state[:, 0]  # (texts, 16)
        return torch.nn.functional.cross_entropy(self.out(first), labels)

    def configure_optimizers(self):
        """Give the module the schedule's optimizer and curve."""
        optimizer, n_steps = self.schedule.optimizer(self), int(self.trainer.estimated_stepping_batches)
        curve = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.schedule.multiplier(step, n_steps))
        return [optimizer], [{"scheduler": curve, "interval": "step"}]


schedule = Schedule.pull("distilbert-alf-1")
module = Classifier(schedule)
print(schedule.apply(module))
texts = torch.randint(5, 100, (64, 12))
rows = torch.utils.data.TensorDataset(texts, (texts == 7).any(dim=1).long())
quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
clip = schedule.recipe.clip
trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", gradient_clip_val=clip, **quiet)
trainer.fit(module, torch.utils.data.DataLoader(rows, batch_size=8))
print(f"steps: {trainer.global_step}")
