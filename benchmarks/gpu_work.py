"""The work of gpu.py: encoders of random weights, and texts of made-up tokens as long as those of real sets."""

import functools
import random
from dataclasses import dataclass

import torch
from engine_flops import fit_flops
from engine_records import Shape
from token_lengths import lengths_like
from transformers import AutoConfig

from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.encoder.tokens import Tokens
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.curve import LinearCurve
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.parts import TaskSplits

ENCODERS: dict[str, dict[str, object]] = {
    "distilbert": {"model_type": "distilbert"},
    "bert-base": {"model_type": "bert"},
    "roberta-base": {
        "model_type": "roberta",
        "vocab_size": 50265,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
    },
    "minilm": {
        "model_type": "bert",
        "hidden_size": 384,
        "num_hidden_layers": 6,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
    },
    "tiny": {
        "model_type": "bert",
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    },
}
"""Other sizes are transformers' defaults, those of the published models."""

BATCH, RATE, HEAD_RATE = 32, 5e-5, 1e-3
FIRST_WORD = 1000
"""Ids below it are left to special tokens; the first two from it on are the words that tell the class."""


@dataclass(frozen=True)
class Work:
    """Texts like those of a set, for one epoch of training and one evaluation."""

    texts: str
    n_train: int
    n_validation: int


WORKS = (Work("imdb", 640, 320), Work("sst2", 1280, 640))
TINY_WORKS = (Work("imdb", 8, 4), Work("sst2", 64, 32))


@dataclass(frozen=True)
class Texts:
    """Texts as token ids, of BERT's vocabulary without capitals, and their classes."""

    ids: tuple[tuple[int, ...], ...]
    labels: tuple[int, ...]

    @property
    def lengths(self) -> list[int]:
        """The number of tokens of each text."""
        return [len(text) for text in self.ids]


def texts_like(name: str, n_texts: int, seed: int) -> Texts:
    """Make texts: few words are frequent, and one word in eight tells the class three times of four."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    ids, labels = [], []
    for length in lengths_like(name, n_texts, seed):
        label = draw.randrange(2)
        words = [FIRST_WORD + 2 + int(29_000 * draw.random() ** 4) for _ in range(length)]
        for index in range(1, length, 8):
            words[index] = FIRST_WORD + (label if draw.random() < 0.75 else 1 - label)
        ids.append(tuple(words))
        labels.append(label)
    return Texts(tuple(ids), tuple(labels))


@functools.lru_cache(maxsize=1)
def encoder_of(name: str, device: str) -> Encoder:
    """Return an encoder of random weights, always the same; each fit begins with them."""
    return load_encoder(RandomEncoder(kind="random", config=ENCODERS[name], seed=0), 2, device)


def texts_of(work: Work) -> tuple[Texts, Texts]:
    """Return the texts of training and evaluation."""
    return texts_like(work.texts, work.n_train, 1), texts_like(work.texts, work.n_validation, 2)


def splits_of(work: Work, encoder: Encoder) -> TaskSplits:
    """Return the texts as a fit takes them, on the encoder's device; nothing is kept from an earlier fit."""
    device = next(encoder.model.parameters()).device
    train, validation = (
        TokenizedSplit(
            TokenTable.of(Tokens(texts.ids, None, int(encoder.model.config.pad_token_id)), device),
            torch.tensor(texts.labels, device=device),
        )
        for texts in texts_of(work)
    )
    return TaskSplits(train, validation, validation)


def recipe(epochs: int = 1) -> Recipe:
    """Return the recipe of every fit: nothing is frozen."""
    rates = UniformRates(rate=RATE, head=HEAD_RATE)
    return Recipe(rates=rates, epochs=epochs, batch=BATCH, max_tokens=512, curve=LinearCurve())


def flops_of(work: Work, encoder_name: str) -> float:
    """Return the operations that a fit needs, whatever computes it."""
    config = AutoConfig.for_model(**ENCODERS[encoder_name])
    n_layers, inner = config.num_hidden_layers, getattr(config, "intermediate_size", None) or config.hidden_dim
    shape = Shape(n_layers=n_layers, hidden=config.hidden_size, inner=inner)
    train, validation = texts_of(work)
    return fit_flops(shape, recipe().rates.at(n_layers), train.lengths, validation.lengths, 1).total
