"""PackedForward: no padding in linear layers, norms and activations; the top layer computes only what the head reads.

The weights are the transformers model's own tensors. Exactness: the same mathematics as transformers' forward in
another rounding order (gradients agree to 1e-12 in fp64 without dropout); with dropout the same distribution, from
masks with another layout.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter

import torch

from finetune_alf.encoder.text_heads import Head, Module, head_of
from finetune_alf.recipe import Pooling
from finetune_alf.train.forward.block_attention import BlockAttention
from finetune_alf.train.forward.dropout import DropoutMasks
from finetune_alf.train.forward.families import FAMILIES
from finetune_alf.train.forward.layer import Layer, layer_of
from finetune_alf.train.forward.pack import Group, PackedBatch, pack, pack_all
from finetune_alf.train.forward.table import TokenTable


@dataclass(frozen=True)
class FrozenFeatures:
    """The output of embeddings and layers below `level` for a split: a row a token, or a row a text at the top."""

    level: int
    values: torch.Tensor  # (T, H), or (n, H) when level is the number of layers


class PackedForward:
    """The forward pass of one model, of a family in FAMILIES, on the device that it is on."""

    layout = "packed"
    attention_type = BlockAttention

    def __init__(self, model: Module, seed: int = 0, pooling: Pooling = "first", head: Head | None = None) -> None:
        """Wrap a model; the seed is for its dropout, `pooling` is what its own head, or another, reads of a text."""
        config = model.config
        self._pool = {"first": self._first_tokens, "mean": self._mean_tokens}[pooling]
        self.model, self.family = model, FAMILIES[config.model_type]
        self.head = head or head_of(model)
        self.n_heads = int(getattr(config, self.family.n_heads))
        self.hidden_dropout = float(getattr(config, self.family.hidden_dropout))
        self.scale = (config.hidden_size // self.n_heads) ** -0.5
        self.dropout_masks = DropoutMasks(seed)
        attention_dropout = float(getattr(config, self.family.attention_dropout))
        self.attention = self.attention_type(next(model.parameters()).device, attention_dropout, self.dropout_masks)
        self._row_of_word: torch.Tensor | None = None  # word id -> row of the restricted embedding table
        self.layers = [layer_of(module, self.family) for module in attrgetter(self.family.layers)(model.base_model)]

    def __call__(self, table: TokenTable, rows: Sequence[int], features: FrozenFeatures | None = None) -> torch.Tensor:
        """Return the logits of these texts, (rows, classes), from the tokens or from the split's frozen features."""
        return self.logits(table, self.prepare(table, [rows])[0], features)

    def prepare(self, table: TokenTable, batches: Sequence[Sequence[int]]) -> list[PackedBatch]:
        """Pack batches of rows."""
        return pack_all(table, batches)

    def logits(self, table: TokenTable, batch: PackedBatch, features: FrozenFeatures | None = None) -> torch.Tensor:
        """Return the logits of a packed batch, (rows, classes)."""
        if features and features.level == len(self.layers):
            texts = features.values[batch.rows]  # (B, H)
        else:
            x = features.values[batch.token_index] if features else self._embed(table, batch)  # (T, H)
            with self.attention.kernels():
                for layer in self.layers[features.level if features else 0 : -1]:
                    x = self._all_tokens(layer, x, batch)
                texts = self._pool(self.layers[-1], x, batch)
        return self.head(self.model, texts[batch.inverse_order])

    @torch.no_grad()
    def frozen_features(self, table: TokenTable, level: int, batches: Sequence[Sequence[int]]) -> FrozenFeatures:
        """Return the output of embeddings and layers below `level` for a whole split, without dropout."""
        was_training = self.model.training
        self.model.eval()
        at_top = level == len(self.layers)
        values: torch.Tensor | None = None
        for rows in batches:
            batch = pack(table, rows)
            x = self._embed(table, batch)
            with self.attention.kernels():
                for layer in self.layers[: level - at_top]:
                    x = self._all_tokens(layer, x, batch)
                x = self._pool(self.layers[-1], x, batch) if at_top else x
            if values is None:
                values = x.new_empty(len(table) if at_top else len(table.input_ids), x.shape[-1])
            target_rows = batch.rows if at_top else batch.token_index[: len(batch.token_index) - batch.n_filler]
            values[target_rows] = x[: len(target_rows)]
        self.model.train(was_training)
        assert values is not None  # noqa: S101 - a split has texts
        return FrozenFeatures(level, values)

    def last_hidden_state(self, table: TokenTable) -> torch.Tensor:
        """Return the top layer's output for every token of a table, (T, H), all texts in one batch."""
        batch = pack(table, range(len(table)))
        x = self._embed(table, batch)
        with self.attention.kernels():
            for layer in self.layers:
                x = self._all_tokens(layer, x, batch)
        n_tokens = len(table.input_ids)
        return torch.empty_like(x[:n_tokens]).index_copy(0, batch.token_index[:n_tokens], x[:n_tokens])

    @contextmanager
    def restrict_vocabulary(self, tables: Iterable[TokenTable]) -> Iterator[None]:
        """Keep only the words that occur in these splits in the embedding table; restore the table at the end.

        The other rows get no gradient from these texts, and an optimizer without weight decay would not change them:
        exact to the bit, except for the order in which a gradient norm is summed.
        """
        embedding = self.model.base_model.embeddings.word_embeddings
        full, padding = embedding.weight, embedding.padding_idx
        used = torch.unique(torch.cat([table.input_ids for table in tables]))
        self._row_of_word = torch.full((len(full),), -1, device=used.device)
        self._row_of_word[used] = torch.arange(len(used), device=used.device)
        embedding.weight = torch.nn.Parameter(full.detach()[used], requires_grad=full.requires_grad)
        has_padding = padding is not None and self._row_of_word[padding] >= 0
        embedding.padding_idx = int(self._row_of_word[padding]) if has_padding else None
        try:
            yield
        finally:
            full.data[used] = embedding.weight.data
            embedding.weight, embedding.padding_idx, self._row_of_word = full, padding, None

    def _embed(self, table: TokenTable, batch: PackedBatch) -> torch.Tensor:
        """Return the sum of word, position and type embeddings, (T, H)."""
        body = self.model.base_model
        embeddings = body.embeddings
        ids = table.input_ids[batch.token_index]
        words = ids if self._row_of_word is None else self._row_of_word[ids]
        position_ids = batch.position_ids
        if self.family.positions_follow_padding_id:
            padding_id = embeddings.position_embeddings.padding_idx
            position_ids = table.non_padding_positions[batch.token_index] + padding_id
        x = embeddings.word_embeddings(words) + embeddings.position_embeddings(position_ids)
        if hasattr(embeddings, "token_type_embeddings"):
            types = torch.zeros_like(ids) if table.token_type_ids is None else table.token_type_ids[batch.token_index]
            x = x + embeddings.token_type_embeddings(types)
        x = self._dropout(_to_autocast_dtype(embeddings.LayerNorm(x)), embeddings.training)
        return body.embeddings_project(x) if hasattr(body, "embeddings_project") else x

    def _all_tokens(self, layer: Layer, x: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
        """Run a layer for all tokens, (T, H)."""
        split = [_split(part, batch) for part in self._query_key_value(layer, x)]
        outputs = [self._attend_all(layer, *parts) for parts in zip(*split, batch.groups, strict=True)]
        outputs.append(x.new_zeros(batch.n_filler, x.shape[-1]))
        return self._feed_forward(layer, torch.cat(outputs), x)

    def _query_key_value(self, layer: Layer, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return layer.query(x) * self.scale, layer.key(x), layer.value(x)

    def _first_tokens(self, layer: Layer, x: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
        """Run the top layer: keys and values of all tokens, the rest for each text's first token, (B, H)."""
        first = x[batch.first_index]
        queries = torch.split(layer.query(first) * self.scale, [group.n_texts for group in batch.groups])
        keys, values = (_split(part, batch) for part in (layer.key(x), layer.value(x)))
        outputs = [self._attend_first(layer, *parts) for parts in zip(queries, keys, values, batch.groups, strict=True)]
        return self._feed_forward(layer, torch.cat(outputs), first)

    def _mean_tokens(self, layer: Layer, x: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
        """Run the top layer for all tokens, and return the mean over those of each text, (B, H)."""
        split = zip(_split(self._all_tokens(layer, x, batch), batch), batch.groups, strict=True)
        sums = torch.cat([_padded(tokens, group).sum(1) for tokens, group in split])
        return sums / batch.lengths[:, None].to(sums.dtype)

    def _feed_forward(self, layer: Layer, attended: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Run what follows attention: both residual connections, norms and the feed-forward block."""
        training = layer.whole.training
        attention_output = layer.attention_output(attended)
        drop_attention_output = training and self.family.has_attention_output_dropout
        x = layer.attention_norm(self._add(x, attention_output, drop_attention_output))
        intermediate = layer.activation(layer.intermediate(x))
        output: torch.Tensor = layer.output_norm(self._add(x, layer.output(intermediate), training))
        return output

    def _attend_all(
        self, layer: Layer, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: Group
    ) -> torch.Tensor:
        """Return the attention output of every token of a group, (tokens, H)."""
        query, key, value = (self._padded_block(x, group) for x in (query, key, value))
        output = self._attention(layer, query, key, value, group)
        flat = output.transpose(1, 2).flatten(2).flatten(0, 1)  # (n * longest, H)
        return flat if group.block_index is None else flat[group.block_index]

    def _attend_first(
        self, layer: Layer, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: Group
    ) -> torch.Tensor:
        """Return the attention output of the first token of each text of a group, (n, H)."""
        query = query.view(len(query), 1, self.n_heads, -1).transpose(1, 2)  # (n, heads, 1, dim)
        key, value = self._padded_block(key, group), self._padded_block(value, group)
        return self._attention(layer, query, key, value, group).flatten(1)

    def _attention(
        self, layer: Layer, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: Group
    ) -> torch.Tensor:
        """Return the attention output, with dropout in training, (n, heads, queries, dim)."""
        bias = None if group.bias is None else group.bias.to(query.dtype)
        return self.attention(query, key, value, bias, layer.whole.training)

    def _padded_block(self, x: torch.Tensor, group: Group) -> torch.Tensor:
        """Arrange a group's tokens as (n, heads, longest, dim), with zeros for padding."""
        block = _padded(x, group)
        return block.view(*block.shape[:2], self.n_heads, -1).transpose(1, 2)

    def _dropout(self, x: torch.Tensor, training: bool) -> torch.Tensor:
        if not (training and self.hidden_dropout):
            return x
        return x * self.dropout_masks.draw(x.shape, self.hidden_dropout, x)

    def _add(self, x: torch.Tensor, change: torch.Tensor, training: bool) -> torch.Tensor:
        """Return x + dropout(change) in one pass."""
        if not (training and self.hidden_dropout):
            return x + change
        return torch.addcmul(x, change, self.dropout_masks.draw(change.shape, self.hidden_dropout, change))


def _to_autocast_dtype(x: torch.Tensor) -> torch.Tensor:
    """Cast to the dtype of the matrix products, so that all activations from here on have it."""
    device_type = x.device.type
    return x.to(torch.get_autocast_dtype(device_type)) if torch.is_autocast_enabled(device_type) else x


def _split(x: torch.Tensor, batch: PackedBatch) -> tuple[torch.Tensor, ...]:
    """Split tokens by group, without the filler."""
    return torch.split(x, [*(group.n_tokens for group in batch.groups), batch.n_filler])[:-1]


def _padded(x: torch.Tensor, group: Group) -> torch.Tensor:
    """Arrange a group's tokens as (n, longest, H), with zeros for padding."""
    if group.block_index is not None:
        x = x.new_zeros(group.n_texts * group.longest, x.shape[-1]).index_copy(0, group.block_index, x)
    return x.view(-1, group.longest, x.shape[-1])
