"""The plain PyTorch loop: padded, fp32, without optimisations. The reference of every self-check.

It has the same initial head and the same order of texts as our engine, so that the two differ in dropout masks and
rounding only. Where the work disables dropout in frozen layers, this loop does too.
"""

import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from engine_counter import Counter
from engine_records import N_WARM_UP, Curve, Features, PeerResult, PeerTask, WorkCounts, n_tokens, read_features
from engine_work import Work
from transformers import AutoTokenizer, DataCollatorWithPadding

from finetune_alf.encoder.load import Encoder, load_encoder
from finetune_alf.rates import EMBEDDINGS, LayerRates, layer
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import shuffled_batches
from finetune_alf.train.optimizer import param_groups


def run_plain(task: PeerTask, work: Work) -> PeerResult:
    """Run a work's trials, one after another."""
    torch.manual_seed(task.seed)
    setup_started = time.perf_counter()
    features = read_features(task.texts.features)
    loop = _Loop(task, work)
    vectors = work.vectors(task.mode, task.n_layers)
    loop.fit(features["train"][:N_WARM_UP], features["validation"][:2], vectors[0], epochs=1)
    loop.counter.clear()
    loop.n_steps = 0
    started = time.perf_counter()
    curves = [loop.fit(features["train"], features["validation"], rates, work.epochs) for rates in vectors]
    wall_s = time.perf_counter() - started
    return PeerResult(
        work=work.name,
        peer=task.peer,
        repeat=task.repeat,
        wall_s=wall_s,
        setup_s=started - setup_started,
        peak_mib=loop.counter.peak_mib(task.device),
        precision="fp32",
        counts=WorkCounts(
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
    def __init__(self, task: PeerTask, work: Work) -> None:
        self.device, self.work = task.device, work
        self.seed = child_seed(task.seed, "fit")  # the seed of a study's trials
        self.encoder: Encoder = load_encoder(task.encoder, 2, task.device)
        self.collate = DataCollatorWithPadding(AutoTokenizer.from_pretrained(task.folder))
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
        validation_losses: list[float] = []
        for epoch in range(epochs):
            self._set_training_mode(rates)
            for rows in shuffled_batches(len(train), self.work.batch, self.seed, epoch):
                loss = self._loss([train[row] for row in rows])
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                losses.append(loss.item())
            validation_losses.append(self._validate(validation))
        self.n_steps += len(losses)
        return Curve(train=sum(losses) / len(losses), validation=tuple(validation_losses))

    def _loss(self, batch: Features) -> torch.Tensor:
        inputs = {name: tensor.to(self.device) for name, tensor in self.collate(batch).items()}
        labels = inputs.pop("labels")
        return F.cross_entropy(self.encoder.model(**inputs).logits, labels)

    @torch.no_grad()
    def _validate(self, validation: Features) -> float:
        self.encoder.model.eval()
        batches = [validation[at : at + self.work.batch] for at in range(0, len(validation), self.work.batch)]
        return sum(self._loss(batch).item() * len(batch) for batch in batches) / len(validation)

    def _set_training_mode(self, rates: LayerRates) -> None:
        self.encoder.model.train()
        if self.work.frozen_dropout == "off":
            for module in self._frozen_below(rates):
                module.eval()

    def _frozen_below(self, rates: LayerRates) -> Iterator[Any]:
        """Yield the embeddings and the layers below the lowest trainable address."""
        body = self.encoder.model.base_model
        stack = getattr(body, "encoder", None) or body.transformer
        modules = {EMBEDDINGS: body.embeddings, **{layer(i): module for i, module in enumerate(stack.layer)}}
        for address, module in modules.items():
            if rates[address] > 0:
                return
            yield module
