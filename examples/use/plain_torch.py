# /// script
# dependencies = ["finetune-alf", "torch>=2.10", "transformers>=5.5,<6"]
# ///
"""A schedule in a loop of plain torch; an encoder of random weights stands in for distilbert-base-uncased."""

import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from finetune_alf import Schedule

schedule = Schedule.pull("distilbert-alf-1")
model = DistilBertForSequenceClassification(DistilBertConfig(vocab_size=100, dim=16, hidden_dim=32, n_heads=2))
print(schedule.apply(model))

texts = torch.randint(5, 100, (64, 12))  # (texts, tokens)
labels = (texts == 7).any(dim=1).long()
optimizer = schedule.optimizer(model)
n_steps = 8
for step in range(n_steps):
    for group in optimizer.param_groups:
        group["lr"] = schedule.rates[group["address"]] * schedule.multiplier(step, n_steps)
    rows = slice(8 * step, 8 * step + 8)
    loss = model(input_ids=texts[rows], labels=labels[rows]).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.recipe.clip or float("inf"))
    optimizer.step()
    optimizer.zero_grad()
print(f"loss of the last step: {loss.item():.3f}")
