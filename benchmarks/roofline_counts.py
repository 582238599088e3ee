"""The operations and bytes of a training step and of an evaluation, part by part, counted from shapes.

Each part reads each of its inputs and writes each of its outputs at least once, whatever it keeps in between; these
bytes are counted. `memory_bytes` are those of weights, gradients and optimizer state, which are read again a whole step
later; `cache_bytes` are those of activations, which a cache may hold. Every address is trainable, the head reads first
tokens, and a step is one forward and backward pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

FP32 = 4


@dataclass(frozen=True)
class Count:
    """Operations of matrix products, and bytes that are read and written."""

    flops: int = 0
    memory_bytes: int = 0
    cache_bytes: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.flops + other.flops,
            self.memory_bytes + other.memory_bytes,
            self.cache_bytes + other.cache_bytes,
        )


@dataclass(frozen=True)
class EncoderShape:
    """A BERT with its pooler and classifier; `embedding_rows` are those of all embedding tables together."""

    n_layers: int
    hidden: int
    inner: int
    embedding_rows: int
    n_classes: int = 2

    @property
    def matrix_parameters(self) -> int:
        """Weights and biases of matrix products, which are cast to their precision."""
        h, f = self.hidden, self.inner
        layer = 4 * (h * h + h) + (h * f + f) + (f * h + h)
        return self.n_layers * layer + (h * h + h) + (h * self.n_classes + self.n_classes)

    @property
    def parameters(self) -> int:
        """All parameters: also the norms, two a layer and one of the embeddings, and the tables."""
        return self.matrix_parameters + (2 * self.n_layers + 1) * 2 * self.hidden + self.embedding_rows * self.hidden


@dataclass(frozen=True)
class BatchShape:
    """A packed batch: tokens with the filler, texts, and attention groups as (texts, longest)."""

    n_tokens: int
    n_texts: int
    groups: tuple[tuple[int, int], ...]


def step_counts(encoder: EncoderShape, batch: BatchShape, itemsize: int) -> dict[str, Count]:
    """Return the counts of a training step by part; an activation has `itemsize` bytes, 2 in bf16."""
    h, f, tokens, texts, whole = encoder.hidden, encoder.inner, batch.n_tokens, batch.n_texts, encoder.n_layers - 1
    casts = Count(memory_bytes=_cast_bytes(encoder, itemsize))
    return {
        "matrix products, forward": _products(encoder, batch, itemsize),
        "matrix products, backward": _products(encoder, batch, itemsize, n_products=2),
        "attention, forward": _attention(encoder, batch, itemsize, n_products=2, of_queries=2, of_keys=2),
        "attention, backward": _attention(encoder, batch, itemsize, n_products=4, of_queries=3, of_keys=4),
        "GELU, both ways": Count(cache_bytes=5 * itemsize * f * (whole * tokens + texts)),
        "layer norm, both ways": Count(cache_bytes=5 * itemsize * h * (tokens + 2 * (whole * tokens + texts))),
        "casts of weights": casts,
        "casts of gradients": casts,
        "gradient norm": Count(memory_bytes=FP32 * encoder.parameters),
        "clipping": Count(memory_bytes=2 * FP32 * encoder.parameters),
        "AdamW": Count(memory_bytes=7 * FP32 * encoder.parameters),
    }


def evaluation_count(encoder: EncoderShape, batches: Sequence[BatchShape], itemsize: int) -> Count:
    """Return the count of an evaluation: products and attention of all batches, and one cast of the weights."""
    total = Count(memory_bytes=_cast_bytes(encoder, itemsize))
    for batch in batches:
        total += _products(encoder, batch, itemsize)
        total += _attention(encoder, batch, itemsize, n_products=2, of_queries=2, of_keys=2)
    return total


def _cast_bytes(encoder: EncoderShape, itemsize: int) -> int:
    return encoder.matrix_parameters * (FP32 + itemsize) if itemsize < FP32 else 0


def _products(encoder: EncoderShape, batch: BatchShape, itemsize: int, n_products: int = 1) -> Count:
    """Count the products with weights: one forward; two backward, each with matrices of the same three sizes."""
    h, f, tokens, texts = encoder.hidden, encoder.inner, batch.n_tokens, batch.n_texts
    layer = [(tokens, h, h)] * 4 + [(tokens, h, f), (tokens, f, h)]
    top = [(tokens, h, h)] * 2 + [(texts, h, h)] * 2 + [(texts, h, f), (texts, f, h)]
    head = [(texts, h, h), (texts, h, encoder.n_classes)]
    shapes = (layer * (encoder.n_layers - 1) + top + head) * n_products
    return Count(
        flops=sum(2 * rows * inner * columns for rows, inner, columns in shapes),
        memory_bytes=sum(itemsize * inner * columns for _, inner, columns in shapes),
        cache_bytes=sum(itemsize * rows * (inner + columns) for rows, inner, columns in shapes),
    )


def _attention(
    encoder: EncoderShape, batch: BatchShape, itemsize: int, *, n_products: int, of_queries: int, of_keys: int
) -> Count:
    """Count attention in padded blocks; `of_queries` tensors have a row a query, `of_keys` a row a key.

    Forward: queries and outputs; keys and values. Backward: queries, their gradients and those of the outputs; keys,
    values and their gradients. The scores stay in the cache.
    """
    keys = sum(n * longest for n, longest in batch.groups)
    queries = [keys] * (encoder.n_layers - 1) + [batch.n_texts]  # the top layer has one query a text
    squares = sum(n * longest**2 for n, longest in batch.groups)
    scores = [squares] * (encoder.n_layers - 1) + [keys]
    return Count(
        flops=n_products * 2 * encoder.hidden * sum(scores),
        cache_bytes=itemsize * encoder.hidden * sum(of_queries * own + of_keys * keys for own in queries),
    )
