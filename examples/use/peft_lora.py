# /// script
# dependencies = ["finetune-alf", "torch>=2.10", "transformers>=5.5,<6", "peft>=0.21"]
# ///
"""The rates of a schedule for adapters of PEFT: the encoder is frozen, `adapter.i` has the rate of `layer.i`."""

import peft
import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from finetune_alf import Schedule

schedule = Schedule.pull("distilbert-alf-1")
encoder = DistilBertForSequenceClassification(DistilBertConfig(vocab_size=100, dim=16, hidden_dim=32, n_heads=2))
lora = peft.LoraConfig(r=4, target_modules=["q_lin", "v_lin"], task_type="SEQ_CLS")
model = peft.get_peft_model(encoder, lora)
print(schedule.apply(model))

texts = torch.randint(5, 100, (8, 12))
labels = (texts == 7).any(dim=1).long()
optimizer = schedule.optimizer(model)
model(input_ids=texts, labels=labels).loss.backward()
optimizer.step()
print("groups:", *(group["address"] for group in optimizer.param_groups))
