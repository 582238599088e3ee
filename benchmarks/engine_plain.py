"""The plain PyTorch loop: padded, fp32, nothing clever. The reference of every self-check.

It starts from the same head and takes the texts in the same order as our engine, so that the two differ in dropout's
masks and rounding alone. Where the work runs frozen layers without dropout, so does this loop.
"""

import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from engine_counter import Counter
from engine_records import N_WARM, Asked, Counted, Curve, Done, Features, n_tokens, read_features
from engine_work import Work
from transformers import AutoTokenizer, DataCollatorWithPadding

from finetune_alf.encoder.load import Encoder, load_encoder
from finetune_alf.rates import EMBEDDINGS, LayerRates, layer
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import shuffled_batches
from finetune_alf.train.optimizer import param_groups


def run_plain(asked: Asked, work: Work) -> Done:
    """Do a work's trials, one after another."""
    torch.manual_seed(asked.seed)
    began = time.perf_counter()
    features = read_features(asked.drawn.features)
    loop = _Loop(asked, work)
    vectors = work.vectors(asked.mode, asked.n_layers)
    loop.fit(features["train"][:N_WARM], features["validation"][:2], vectors[0], epochs=1)
    loop.counter.clear()
    loop.n_steps = 0
    started = time.perf_counter()
    curves = [loop.fit(features["train"], features["validation"], rates, work.epochs) for rates in vectors]
    wall_s = time.perf_counter() - started
    return Done(
        work=work.name,
        peer=asked.peer,
        repeat=asked.repeat,
        wall_s=wall_s,
        setup_s=started - began,
        peak_mib=loop.counter.peak_mib(asked.device),
        precision="fp32",
        counted=Counted(
            n_trials=len(curves),
            n_epochs=sum(len(curve.validation) for curve in curves),
            n_steps=loop.n_steps,
            n_trained=loop.counter.n_trained,
            n_evaluated=loop.counter.n_evaluated,
            n_tokens=n_tokens(features),
        ),
        curves=tuple(curves),
    )


class _Loop:
    def __init__(self, asked: Asked, work: Work) -> None:
        self.device, self.work = asked.device, work
        self.seed = child_seed(asked.seed, "fit")  # the seed that a study gives its trials
        self.encoder: Encoder = load_encoder(asked.encoder, 2, asked.device)
        self.collate = DataCollatorWithPadding(AutoTokenizer.from_pretrained(asked.folder))
        self.counter = Counter()
        self.counter.watch(self.encoder.model)
        self.n_steps = 0

    def fit(self, train: Features, validation: Features, rates: LayerRates, epochs: int) -> Curve:
        self.encoder.reset(child_seed(self.seed, "head"))
        model = self.encoder.model
        optimizer = torch.optim.AdamW(param_groups(model, rates), weight_decay=0.0)
        n_steps = epochs * -(-len(train) // self.work.batch)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_steps)
        losses: list[float] = []
        validated: list[float] = []
        for epoch in range(epochs):
            self._set_to_training(rates)
            for rows in shuffled_batches(len(train), self.work.batch, self.seed, epoch):
                loss = self._loss([train[row] for row in rows])
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                losses.append(loss.item())
            validated.append(self._validate(validation))
        self.n_steps += len(losses)
        return Curve(train=sum(losses) / len(losses), validation=tuple(validated))

    def _loss(self, some: Features) -> torch.Tensor:
        inputs = {name: tensor.to(self.device) for name, tensor in self.collate(some).items()}
        labels = inputs.pop("labels")
        return F.cross_entropy(self.encoder.model(**inputs).logits, labels)

    @torch.no_grad()
    def _validate(self, validation: Features) -> float:
        self.encoder.model.eval()
        batches = [validation[at : at + self.work.batch] for at in range(0, len(validation), self.work.batch)]
        return sum(self._loss(some).item() * len(some) for some in batches) / len(validation)

    def _set_to_training(self, rates: LayerRates) -> None:
        self.encoder.model.train()
        if self.work.frozen_dropout == "off":
            for module in self._frozen_below(rates):
                module.eval()

    def _frozen_below(self, rates: LayerRates) -> Iterator[Any]:
        """Yield the embeddings and the layers below the lowest open address."""
        body = self.encoder.model.base_model
        stack = getattr(body, "encoder", None) or body.transformer
        modules = {EMBEDDINGS: body.embeddings, **{layer(i): module for i, module in enumerate(stack.layer)}}
        for address, module in modules.items():
            if rates[address] > 0:
                return
            yield module
