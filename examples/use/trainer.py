# /// script
# dependencies = ["finetune-alf", "torch>=2.10", "transformers>=5.5,<6", "accelerate>=1.10"]
# ///
"""A schedule under transformers' Trainer, which logs the rate of each address."""

import tempfile

import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification, Trainer

from finetune_alf import Schedule

schedule = Schedule.pull("distilbert-alf-1")
model = DistilBertForSequenceClassification(DistilBertConfig(vocab_size=100, dim=16, hidden_dim=32, n_heads=2))
texts = torch.randint(5, 100, (64, 12))  # (texts, tokens)
train = [{"input_ids": text, "labels": int(7 in text)} for text in texts]

with tempfile.TemporaryDirectory() as folder:
    settings = {"output_dir": folder, "num_train_epochs": 2, "save_strategy": "no", "report_to": []}
    trainer = Trainer(model=model, train_dataset=train, **schedule.trainer_kwargs(model, **settings))
    trainer.train()
logged = next(entry for entry in trainer.state.log_history if "loss" in entry)
print({name: rate for name, rate in logged.items() if name.startswith("lr/")})
