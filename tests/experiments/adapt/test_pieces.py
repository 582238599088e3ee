"""Pieces of texts: no token is lost, words have their own ids, and an epoch has every piece once."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_checkpoint import as_spec, films

from finetune_alf.encoder.masked_lm import load_masked_lm
from finetune_alf.errors import EncoderError
from finetune_alf.experiments.adapt.pieces import NO_WORD, Pieces, batches

CLS, SEP = 2, 3
TEXT = "An uneven but quietly moving film, unforgettable."


@pytest.fixture(scope="module")
def masked_lm(with_head):
    return load_masked_lm(as_spec(with_head), 0)


def test_the_pieces_of_a_long_text_have_all_its_tokens(masked_lm):
    (whole,) = masked_lm.pieces([TEXT], 40)
    parts = list(masked_lm.pieces([TEXT], 8))
    assert len(parts) > 2
    assert all(len(ids) <= 8 and (ids[0], ids[-1]) == (CLS, SEP) for ids, _ in parts)
    assert [token for ids, _ in parts for token in ids[1:-1]] == whole[0][1:-1]


def test_word_ids_are_the_tokenizers_and_special_tokens_have_none(masked_lm):
    ((ids, words),) = masked_lm.pieces(["unforgettable film [SEP] unforgettable"], 40)
    tokens = masked_lm.tokenizer.convert_ids_to_tokens(ids)
    assert [word for word, token in zip(words, tokens, strict=True) if token in ("[CLS]", "[SEP]")] == [-1, -1, -1]
    starts = [not token.startswith("##") for token in tokens]
    assert len(tokens) > 7
    for (before, after), is_new_word in zip(itertools.pairwise(words), starts[1:], strict=True):
        assert (before != after) == is_new_word


def test_texts_longer_than_the_encoder_reads_are_refused(masked_lm):
    with pytest.raises(EncoderError, match=r"max_tokens: must be at most 40 .* but got 41"):
        list(masked_lm.pieces([TEXT], 41))


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(5, 90), min_size=1, max_size=9), min_size=1, max_size=9))
def test_padding_follows_each_piece_and_word_ids_count_from_0(rows):
    pieces = Pieces.of((row, [NO_WORD, *range(40, 39 + len(row))]) for row in rows)
    ids, words, is_token = pieces.padded(list(range(len(rows))), pad_token_id=0)
    for index, row in enumerate(rows):
        assert ids[index, : len(row)].tolist() == row
        assert words[index, : len(row)].tolist() == [NO_WORD, *range(len(row) - 1)]
        assert is_token[index].tolist() == [True] * len(row) + [False] * (ids.shape[1] - len(row))
    assert (ids[~is_token] == 0).all()
    assert (words[~is_token] == NO_WORD).all()


@settings(deadline=None)
@given(st.lists(st.integers(3, 99), min_size=1, max_size=60), st.integers(1, 8), st.integers(0, 99))
def test_an_epoch_has_every_piece_once_and_the_seed_decides_the_order(lengths, batch, seed):
    n_steps = -(-len(lengths) // batch)
    steps = list(itertools.islice(batches(torch.tensor(lengths), batch, seed), 2 * n_steps))
    for epoch in (steps[:n_steps], steps[n_steps:]):
        assert sorted(row for rows in epoch for row in rows) == list(range(len(lengths)))
        assert all(len(rows) <= batch for rows in epoch)
    assert steps == list(itertools.islice(batches(torch.tensor(lengths), batch, seed), 2 * n_steps))


def test_little_of_a_batch_is_padding(masked_lm):
    pieces = Pieces.of(masked_lm.pieces(films(), 40))

    def share_of_padding(steps):
        tables = [pieces.padded(rows, 0)[2] for rows in steps]
        return 1 - sum(int(table.sum()) for table in tables) / sum(table.numel() for table in tables)

    n_steps = -(-len(pieces) // 8)
    grouped = list(itertools.islice(batches(pieces.lengths, 8, 0), n_steps))
    plain = [list(range(start, min(start + 8, len(pieces)))) for start in range(0, len(pieces), 8)]
    assert share_of_padding(grouped) < 0.1 < share_of_padding(plain)
