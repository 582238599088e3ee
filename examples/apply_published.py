"""Give a published schedule to an optimizer: a six-layer encoder of random weights stands in for DistilBERT."""

import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from finetune_alf import param_groups, pull

model = DistilBertForSequenceClassification(DistilBertConfig(vocab_size=100, dim=16, hidden_dim=32, n_heads=2))
schedule = pull("distilbert-alf-1")
optimizer = torch.optim.AdamW(param_groups(model, schedule.rates))
for group in optimizer.param_groups:
    print(f"{group['address']:<12}{group['lr']:g}")
print("frozen:", *schedule.rates.frozen)
