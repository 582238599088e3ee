# /// script
# dependencies = ["finetune-alf", "torch>=2.10", "transformers>=5.5,<6", "scikit-learn>=1.6"]
# ///
"""As SetFit does: tune an encoder with a schedule on pairs of texts, then fit a logistic regression to its features."""

import itertools

import torch
from sklearn.linear_model import LogisticRegression
from transformers import DistilBertConfig, DistilBertModel

from finetune_alf import Schedule

schedule = Schedule.pull("distilbert-alf-1")
encoder = DistilBertModel(DistilBertConfig(vocab_size=100, dim=16, hidden_dim=32, n_heads=2))
texts = torch.randint(8, 100, (16, 12))
labels = torch.arange(16) % 2
texts[labels == 1, 1] = 7  # the word that decides


def features(rows: torch.Tensor) -> torch.Tensor:
    """Return the mean over the tokens of each text."""
    return encoder(input_ids=rows).last_hidden_state.mean(dim=1)


optimizer = schedule.optimizer(encoder)
for one, other in itertools.islice(zip(torch.randperm(16).split(8), torch.randperm(16).split(8), strict=True), 4):
    similarity = torch.nn.functional.cosine_similarity(features(texts[one]), features(texts[other]))
    loss = (similarity - (labels[one] == labels[other]).float()).square().mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
with torch.no_grad():
    head = LogisticRegression().fit(features(texts).numpy(), labels.numpy())
    print(f"accuracy on the training texts: {head.score(features(texts).numpy(), labels.numpy()):.2f}")
