"""One tiny encoder a family, with weights large enough for every part to count, and tables of made-up tokens."""

import functools

import torch
from hypothesis import strategies as st

from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.encoder.tokens import Tokens
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.forward.table import TokenTable

N_LAYERS, N_CLASSES, N_IDS = 3, 3, 41
SHAPE = {
    "vocab_size": N_IDS,
    "hidden_size": 8,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 24,
}
DISTILBERT_SHAPE = {
    "vocab_size": N_IDS,
    "dim": 8,
    "n_layers": N_LAYERS,
    "n_heads": 2,
    "hidden_dim": 12,
    "max_position_embeddings": 24,
}
DEBERTA_SHAPE = {**SHAPE, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "max_relative_positions": 8}
PACKED = {
    "bert": SHAPE,
    "roberta": SHAPE,
    "xlm-roberta": {**SHAPE, "type_vocab_size": 1},
    "camembert": SHAPE,
    "distilbert": DISTILBERT_SHAPE,
    "electra": {**SHAPE, "embedding_size": 4},
    "electra of one width": {**SHAPE, "embedding_size": 8},
}
PADDED_ONLY = {
    "albert": {**SHAPE, "embedding_size": 4},
    "deberta": DEBERTA_SHAPE,
    "deberta-v2": {**DEBERTA_SHAPE, "position_buckets": 8, "norm_rel_ebd": "layer_norm"},
    "modernbert": {
        **SHAPE,
        **{f"{token}_token_id": index for index, token in enumerate(["pad", "bos", "eos", "sep"])},
        "cls_token_id": 1,
    },
    "mpnet": SHAPE,
}
FORWARDS = {"packed": PackedForward, "padded": PaddedForward}


@functools.cache
def tiny_encoder(family, hidden=0.0, attention=0.0, head=0.0, dtype=torch.float64):
    """Build the encoder, with dropout probabilities inside its layers, on attention, and in its head."""
    names = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
    if family == "distilbert":
        names = ("dropout", "attention_dropout", "seq_classif_dropout")
    config = {"model_type": family.split()[0], **(PACKED | PADDED_ONLY)[family]}
    if family in PACKED:
        config |= dict(zip(names, (hidden, attention, head), strict=True))
    encoder = load_encoder(RandomEncoder(kind="random", config=config, seed=1), N_CLASSES)
    encoder.model.to(dtype)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in encoder.model.parameters():
            parameter += 0.4 * torch.randn(parameter.shape, generator=generator, dtype=dtype)
    encoder.model.eval()
    return encoder


def tables_of(encoder, *, padding_inside=False, most=6):
    """Draw splits for an encoder: single texts and pairs, the shortest and the longest that it reads among them."""
    lengths = st.lists(st.integers(1, encoder.n_positions), min_size=0, max_size=most - 2)
    seeds = st.integers(0, 2**16)
    return st.builds(
        lambda some, seed: table_of(encoder, [1, *some, encoder.n_positions], seed, padding_inside=padding_inside),
        lengths,
        seeds,
    )


def table_of(encoder, lengths, seed=0, *, padding_inside=False):
    """Lay out texts of random ids and, where the encoder takes types, of two parts."""
    generator = torch.Generator().manual_seed(seed)
    pad_token_id = encoder.tokenizer.pad_token_id
    ids, types = [], []
    for length in lengths:
        text = [i if i != pad_token_id else 7 for i in torch.randint(0, N_IDS, (length,), generator=generator).tolist()]
        if padding_inside:
            text = [pad_token_id if i % 3 == 0 else i for i in text]
        n_first = int(torch.randint(1, length + 1, (), generator=generator))
        ids.append(tuple(text))
        types.append((0,) * n_first + (1,) * (length - n_first))
    tokens = Tokens(tuple(ids), tuple(types) if encoder.takes_token_types else None, pad_token_id)
    return TokenTable.of(tokens, torch.device("cpu"))


def labels_of(table):
    return torch.arange(len(table)) % N_CLASSES


def gradients(model):
    """Return the gradients that are there, by name."""
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def largest_difference(one, other):
    return max((one[name] - other[name]).abs().max().item() for name in one)


def largest(tensors):
    return max(tensor.abs().max().item() for tensor in tensors.values())
