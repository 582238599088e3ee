"""PackedForward: no padding in any linear layer, norm or activation, and a top layer that answers for what is asked.

The weights are the transformers model's own tensors. Exactness: the same mathematics as transformers' forward in
another rounding order (gradients agree to 1e-12 in fp64 without dropout); with dropout the same distribution, from
masks that are laid out otherwise.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.train.forward.attention import heard
from finetune_alf.train.forward.dropout import DropoutNoise
from finetune_alf.train.forward.families import FAMILIES, Family
from finetune_alf.train.forward.pack import Group, Pack, pack
from finetune_alf.train.forward.table import TokenTable

Module = Any  # transformers' modules come without types


@dataclass(frozen=True)
class _Layer:
    """One layer's modules, by what they do; `whole` is in training where dropout is to fall."""

    whole: Module
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

    def __init__(self, model: Module, seed: int = 0) -> None:
        """Take a model; the seed is that of its dropout."""
        config = model.config
        self.model, self.family = model, FAMILIES[config.model_type]
        self.n_heads = int(getattr(config, self.family.n_heads))
        self.hidden_dropout = float(getattr(config, self.family.hidden_dropout))
        self.attention_dropout = float(getattr(config, self.family.attention_dropout))
        self.scale = (config.hidden_size // self.n_heads) ** -0.5
        self.noise = DropoutNoise(seed)
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
        return self.family.head(self.model, first[batch.back])

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
            rows_of = batch.rows if at_top else batch.gather[: len(batch.gather) - batch.n_fill]
            values[rows_of] = x[: len(rows_of)]
        self.model.train(was_training)
        assert values is not None  # noqa: S101 - a split has texts
        return Prefix(level, values)

    def tokens(self, table: TokenTable) -> torch.Tensor:
        """Return what the top layer makes of every token of a table, (T, H): a batch that is a split of its own."""
        batch = pack(table, range(len(table)))
        x = self._embed(table, batch)
        for layer in self.layers:
            x = self._all_tokens(layer, x, batch)
        n_tokens = len(table.ids)
        return torch.empty_like(x[:n_tokens]).index_copy(0, batch.gather[:n_tokens], x[:n_tokens])

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
        positions = batch.positions
        if self.family.counts_from_padding:
            positions = table.counted[batch.gather] + parts.position_embeddings.padding_idx
        x = parts.word_embeddings(words) + parts.position_embeddings(positions)
        if hasattr(parts, "token_type_embeddings"):
            types = torch.zeros_like(ids) if table.types is None else table.types[batch.gather]
            x = x + parts.token_type_embeddings(types)
        x = self._drop(_narrow(parts.LayerNorm(x)), parts.training)
        return body.embeddings_project(x) if hasattr(body, "embeddings_project") else x

    def _all_tokens(self, layer: _Layer, x: torch.Tensor, batch: Pack) -> torch.Tensor:
        scaled = layer.query(x) * self.scale
        parts = zip(
            *(_split(part, batch) for part in (scaled, layer.key(x), layer.value(x))), batch.groups, strict=True
        )
        answers = [self._attend(layer, query, key, value, group) for query, key, value, group in parts]
        answers.append(x.new_zeros(batch.n_fill, x.shape[-1]))
        return self._feed_forward(layer, torch.cat(answers), x)

    def _first_tokens(self, layer: _Layer, x: torch.Tensor, batch: Pack) -> torch.Tensor:
        """Run the top layer: keys and values of all tokens, the rest for each text's first token, (B, H)."""
        first = x[batch.first]
        scaled = torch.split(layer.query(first) * self.scale, [group.n_texts for group in batch.groups])
        parts = zip(
            scaled, *(_split(part, batch) for part in (layer.key(x), layer.value(x))), batch.groups, strict=True
        )
        answers = [self._answer(layer, query, key, value, group) for query, key, value, group in parts]
        return self._feed_forward(layer, torch.cat(answers), first)

    def _feed_forward(self, layer: _Layer, answers: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        change, falls = layer.attention_out(answers), layer.whole.training
        x = layer.attention_norm(self._add(x, change, falls and self.family.drops_attention_out))
        inner = layer.activation(layer.inner(x))
        answered: torch.Tensor = layer.outer_norm(self._add(x, layer.outer(inner), falls))
        return answered

    def _attend(
        self, layer: _Layer, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: Group
    ) -> torch.Tensor:
        """Return what every token of a group hears, (tokens, H)."""
        boxed = self._hear(layer, self._box(query, group), self._box(key, group), self._box(value, group), group)
        flat = boxed.transpose(1, 2).flatten(2).flatten(0, 1)  # (n * longest, H)
        return flat if group.places is None else flat[group.places]

    def _answer(
        self, layer: _Layer, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: Group
    ) -> torch.Tensor:
        """Return what the first token of each text of a group hears, (n, H)."""
        asked = query.view(len(query), 1, self.n_heads, -1).transpose(1, 2)  # (n, heads, 1, dim)
        return self._hear(layer, asked, self._box(key, group), self._box(value, group), group).flatten(1)

    def _hear(
        self, layer: _Layer, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: Group
    ) -> torch.Tensor:
        """Attend, with dropout in training, (n, heads, asked, dim)."""
        bias = None if group.bias is None else group.bias.to(query.dtype)
        if not layer.whole.training:
            return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=1.0)
        scores = torch.Size((*query.shape[:-1], key.shape[-2]))
        noise = self.noise.draw(scores, self.attention_dropout, query) if self.attention_dropout else None
        return heard(query, key, value, bias, noise)

    def _box(self, x: torch.Tensor, group: Group) -> torch.Tensor:
        """Lay a group's tokens out as (n, heads, longest, dim), with zeros for padding."""
        if group.places is not None:
            x = x.new_zeros(group.n_texts * group.longest, x.shape[-1]).index_copy(0, group.places, x)
        return x.view(-1, group.longest, self.n_heads, x.shape[-1] // self.n_heads).transpose(1, 2)

    def _drop(self, x: torch.Tensor, falls: bool) -> torch.Tensor:
        if not (falls and self.hidden_dropout):
            return x
        return x * self.noise.draw(x.shape, self.hidden_dropout, x)

    def _add(self, x: torch.Tensor, change: torch.Tensor, falls: bool) -> torch.Tensor:
        """Return x + dropout(change) in one pass."""
        if not (falls and self.hidden_dropout):
            return x + change
        return torch.addcmul(x, change, self.noise.draw(change.shape, self.hidden_dropout, change))


def _narrow(x: torch.Tensor) -> torch.Tensor:
    """Go on in the type of the matrix products: from here on all that is as large as the tokens is in it."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


def _split(x: torch.Tensor, batch: Pack) -> tuple[torch.Tensor, ...]:
    return torch.split(x, [*(group.n_tokens for group in batch.groups), batch.n_fill])[:-1]


def _layer(module: Module, family: Family) -> _Layer:
    named = [name for name in _Layer.__dataclass_fields__ if name != "whole"]
    return _Layer(module, **{name: attrgetter(getattr(family, name))(module) for name in named})
