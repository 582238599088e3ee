"""A tiny encoder, its shape, and the operations that PyTorch counts."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from finetune_alf.cost.shape import Engine, FitLengths
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.encoder.tokens import Tokens
from finetune_alf.planning.probe import shape_of
from finetune_alf.rates import LayerRates, ListedRates
from finetune_alf.recipe import Recipe
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.forward.protocol import forward_of
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.optimizer import param_groups

N_LAYERS = 3
CONFIGS = {
    "bert": {
        "hidden_size": 32,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": 96,
        "vocab_size": 64,
        "max_position_embeddings": 64,
    },
    "distilbert": {
        "dim": 32,
        "n_layers": N_LAYERS,
        "n_heads": 2,
        "hidden_dim": 96,
        "vocab_size": 64,
        "max_position_embeddings": 64,
    },
    "electra": {
        "embedding_size": 16,
        "hidden_size": 32,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": 96,
        "vocab_size": 64,
        "max_position_embeddings": 64,
    },
}
PADDED = Engine(packed=False, evaluation_batch=64, max_features_bytes=1 << 30)
PACKED = Engine(packed=True, evaluation_batch=64, max_features_bytes=1 << 30)


def tiny(family="bert"):
    encoder = load_encoder(RandomEncoder(kind="random", seed=1, config={"model_type": family, **CONFIGS[family]}), 2)
    return encoder, shape_of(encoder)


def recipe(rates, **changes):
    """A recipe whose one batch holds any test's texts."""
    return Recipe(**({"rates": rates.listed, "epochs": 1, "batch": 64, "max_tokens": 64} | changes))


class Rates:
    """Trainable (1) and frozen (0) addresses, in the order embeddings, layers, head."""

    def __init__(self, trainable):
        embeddings, *layers, head = (1e-5 * int(flag) for flag in trainable)
        self.at = LayerRates.of(embeddings, layers, head)

    @property
    def listed(self):
        return ListedRates.from_rates(self.at)


def lengths(train, validation=(5,), scored=None, n_words=10):
    return FitLengths(tuple(train), tuple(validation), scored, n_words)


def table_of(texts):
    ids = tuple(tuple(1 + place % 60 for place in range(length)) for length in texts)
    return TokenTable.of(Tokens(ids, None, 0), torch.device("cpu"))


def counted_step(encoder, rates, texts, *, packed, pooling="first"):
    """Return what FlopCounterMode counts in one training step on these texts."""
    param_groups(encoder.model, rates, anatomy=encoder.anatomy)
    encoder.model.train()
    forward = forward_of(encoder.model, 0, None, pooling) if packed else PaddedForward(encoder.model, pooling)
    table, labels = table_of(texts), torch.zeros(len(texts), dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(forward(table, list(range(len(texts)))), labels).backward()
    return counter.get_total_flops()


def counted_evaluation(encoder, texts, *, packed, pooling="first"):
    encoder.model.eval()
    forward = forward_of(encoder.model, 0, None, pooling) if packed else PaddedForward(encoder.model, pooling)
    # the counter does not support fused attention on a CPU
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        forward(table_of(texts), list(range(len(texts))))
    return counter.get_total_flops()
