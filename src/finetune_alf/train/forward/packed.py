"""PackedForward: no padding in any linear layer, norm or activation, and a top layer that answers for one token alone.

The weights are the transformers model's own tensors. Exactness: the same mathematics as transformers' forward in
another rounding order (gradients agree to 1e-12 in fp64 without dropout); with dropout the same distribution, from
masks that are laid out otherwise.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.train.forward.families import FAMILIES, Family
from finetune_alf.train.forward.pack import Group, Pack, pack
from finetune_alf.train.forward.table import TokenTable

Module = Any  # transformers' modules come without types


@dataclass(frozen=True)
class _Layer:
    """One layer's modules, by what they do."""

    query: Module
    key: Module
    value: Module
    attention_out: Module
    attention_norm: Module
    inner: Module
    activation: Module
    outer: Module
    outer_norm: Module


@dataclass(frozen=True)
class Prefix:
    """What the frozen layers below `level` make of a split, once: a row a token, or a row a text at the top."""

    level: int
    values: torch.Tensor  # (T, H), or (n, H) when level is the number of layers


class PackedForward:
    """The forward pass of one model, of a family in FAMILIES."""

    def __init__(self, model: Module) -> None:
        config = model.config
        self.model, self.family = model, FAMILIES[config.model_type]
        self.n_heads = int(getattr(config, self.family.n_heads))
        self.hidden_dropout = float(getattr(config, self.family.hidden_dropout))
        self.attention_dropout = float(getattr(config, self.family.attention_dropout))
        self._lookup: torch.Tensor | None = None  # word id -> row of a cut embedding table
        self.layers = [_layer(module, self.family) for module in attrgetter(self.family.layers)(model.base_model)]

    def __call__(self, table: TokenTable, rows: Sequence[int], prefix: Prefix | None = None) -> torch.Tensor:
        """Return the logits of these texts, (rows, classes), from the tokens or from a prefix of this split."""
        batch = pack(table, rows)
        if prefix and prefix.level == len(self.layers):
            first = prefix.values[batch.rows]  # (B, H)
        else:
            x = prefix.values[batch.gather] if prefix else self._embed(table, batch)  # (T, H)
            for layer in self.layers[prefix.level if prefix else 0 : -1]:
                x = self._all_tokens(layer, x, batch)
            first = self._first_tokens(self.layers[-1], x, batch)
        logits = self.family.head(self.model, first)
        return logits[batch.back]

    @torch.no_grad()
    def prefix(self, table: TokenTable, level: int, batch_rows: Sequence[Sequence[int]]) -> Prefix:
        """Return what the embeddings and the layers below `level` make of a whole split, without dropout."""
        was_training = self.model.training
        self.model.eval()
        at_top = level == len(self.layers)
        values: torch.Tensor | None = None
        for rows in batch_rows:
            batch = pack(table, rows)
            x = self._embed(table, batch)
            for layer in self.layers[: level - at_top]:
                x = self._all_tokens(layer, x, batch)
            x = self._first_tokens(self.layers[-1], x, batch) if at_top else x
            if values is None:
                values = x.new_empty(len(table) if at_top else len(table.ids), x.shape[-1])
            values[batch.rows if at_top else batch.gather] = x
        self.model.train(was_training)
        assert values is not None  # noqa: S101 - a split has texts
        return Prefix(level, values)

    @contextmanager
    def cut(self, tables: Iterable[TokenTable]) -> Iterator[None]:
        """Keep only the words that occur in these splits in the embedding table, and put them back at the end.

        The rows left out get no gradient from these texts, so that an optimizer without weight decay would leave them
        as they are: exact to the bit, but for the order in which a gradient norm is added up.
        """
        words = self.model.base_model.embeddings.word_embeddings
        whole, padding = words.weight, words.padding_idx
        used = torch.unique(torch.cat([table.ids for table in tables]))
        self._lookup = torch.full((len(whole),), -1, device=used.device)
        self._lookup[used] = torch.arange(len(used), device=used.device)
        words.weight = torch.nn.Parameter(whole.detach()[used], requires_grad=whole.requires_grad)
        words.padding_idx = None if padding is None or self._lookup[padding] < 0 else int(self._lookup[padding])
        try:
            yield
        finally:
            whole.data[used] = words.weight.data
            words.weight, words.padding_idx, self._lookup = whole, padding, None

    def _embed(self, table: TokenTable, batch: Pack) -> torch.Tensor:
        """Return word, position and type embeddings added up, (T, H)."""
        body = self.model.base_model
        parts = body.embeddings
        ids = table.ids[batch.gather]
        words = ids if self._lookup is None else self._lookup[ids]
        positions = batch.positions + (table.pad_id + 1 if self.family.counts_from_padding else 0)
        x = parts.word_embeddings(words) + parts.position_embeddings(positions)
        if hasattr(parts, "token_type_embeddings"):
            types = torch.zeros_like(ids) if table.types is None else table.types[batch.gather]
            x = x + parts.token_type_embeddings(types)
        x = self._drop(parts.LayerNorm(x))
        return body.embeddings_project(x) if hasattr(body, "embeddings_project") else x

    def _all_tokens(self, layer: _Layer, x: torch.Tensor, batch: Pack) -> torch.Tensor:
        query, key, value = layer.query(x), layer.key(x), layer.value(x)
        answers = [self._attend(query[g.tokens], key[g.tokens], value[g.tokens], g) for g in batch.groups]
        return self._feed_forward(layer, torch.cat(answers), x)

    def _first_tokens(self, layer: _Layer, x: torch.Tensor, batch: Pack) -> torch.Tensor:
        """Run the top layer: keys and values of all tokens, the rest for each text's first token, (B, H)."""
        first = x[batch.first]
        query, key, value = layer.query(first), layer.key(x), layer.value(x)
        answers = [self._answer(query[g.texts], key[g.tokens], value[g.tokens], g) for g in batch.groups]
        return self._feed_forward(layer, torch.cat(answers), first)

    def _feed_forward(self, layer: _Layer, answers: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        x = layer.attention_norm(self._drop(layer.attention_out(answers)) + x)
        inner = layer.activation(layer.inner(x))
        answered: torch.Tensor = layer.outer_norm(self._drop(layer.outer(inner)) + x)
        return answered

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: Group) -> torch.Tensor:
        """Return what every token of a group hears, (tokens, H)."""
        query, key, value = (self._box(part, group) for part in (query, key, value))
        heard = self._hear(query, key, value, group).transpose(1, 2).flatten(2).flatten(0, 1)  # (n * longest, H)
        return heard if group.places is None else heard[group.places]

    def _answer(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: Group) -> torch.Tensor:
        """Return what the first token of each text of a group hears, (n, H)."""
        asked = query.view(len(query), 1, self.n_heads, -1).transpose(1, 2)  # (n, heads, 1, dim)
        return self._hear(asked, self._box(key, group), self._box(value, group), group).flatten(1)

    def _hear(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: Group) -> torch.Tensor:
        """Scaled dot-product attention, (n, heads, asked, dim)."""
        if not (self.model.training and self.attention_dropout):
            bias = None if group.bias is None else group.bias.to(query.dtype)
            return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        scores = (query @ key.transpose(-1, -2)) / math.sqrt(query.shape[-1])
        if group.bias is not None:
            scores = scores + group.bias.to(scores.dtype)
        return F.dropout(scores.softmax(-1), self.attention_dropout, training=True) @ value

    def _box(self, x: torch.Tensor, group: Group) -> torch.Tensor:
        """Lay a group's tokens out as (n, heads, longest, dim), with zeros for padding."""
        if group.places is not None:
            n_places = (group.texts.stop - group.texts.start) * group.longest
            x = x.new_zeros(n_places, x.shape[-1]).index_copy(0, group.places, x)
        return x.view(-1, group.longest, self.n_heads, x.shape[-1] // self.n_heads).transpose(1, 2)

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, self.hidden_dropout, self.model.training)


def _layer(module: Module, family: Family) -> _Layer:
    return _Layer(**{name: attrgetter(getattr(family, name))(module) for name in _Layer.__dataclass_fields__})
