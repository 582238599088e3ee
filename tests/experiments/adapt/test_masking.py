"""Masking: 15 % of the tokens, replaced 80 : 10 : 10, no special tokens, and whole words whole."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.experiments.adapt.masking import NO_WORD, MaskingRule, mask_tokens

MASK_ID, N_SPECIAL, N_IDS = 4, 5, 50
ORDINARY = torch.arange(N_SPECIAL, N_IDS)


def rule(frac=0.15, whole_words=False):
    return MaskingRule(frac, whole_words, MASK_ID, ORDINARY)


def generator(seed):
    return torch.Generator().manual_seed(seed)


@st.composite
def texts(draw):
    """Return ids and words of a batch: words of 1 to 4 tokens between special tokens, padding behind them."""
    rows = draw(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=6), min_size=1, max_size=4))
    longest = max(sum(row) for row in rows) + 2
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    words = torch.full((len(rows), longest), NO_WORD)
    for index, row in enumerate(rows):
        of_word = [word for word, n_tokens in enumerate(row) for _ in range(n_tokens)]
        ids[index, : len(of_word) + 2] = torch.tensor([2, *(N_SPECIAL + index for index in range(len(of_word))), 3])
        words[index, 1 : len(of_word) + 1] = torch.tensor(of_word)
    return ids, words


def is_masked(ids, masked):
    mask = torch.zeros(ids.numel(), dtype=torch.bool)
    mask[masked.positions] = True
    return mask.view_as(ids)


@settings(deadline=None)
@given(texts(), st.floats(0.01, 0.99), st.booleans(), st.integers(0, 10**6))
def test_special_tokens_are_not_masked_and_labels_are_the_original_ids(batch, frac, whole_words, seed):
    ids, words = batch
    masked = mask_tokens(ids, words, rule(frac, whole_words), generator(seed))
    mask = is_masked(ids, masked)
    assert not (mask & (words == NO_WORD)).any()
    assert torch.equal(masked.labels, ids.flatten()[masked.positions])
    assert torch.equal(masked.input_ids[~mask], ids[~mask])
    replaced = masked.input_ids[mask]
    assert ((replaced == MASK_ID) | (replaced >= N_SPECIAL)).all()


@settings(deadline=None)
@given(texts(), st.floats(0.05, 0.95), st.integers(0, 10**6))
def test_a_word_is_masked_whole_or_not_at_all(batch, frac, seed):
    ids, words = batch
    mask = is_masked(ids, mask_tokens(ids, words, rule(frac, whole_words=True), generator(seed)))
    for row, of_row in zip(words, mask, strict=True):
        for word in set(row.tolist()) - {NO_WORD}:
            assert len(set(of_row[row == word].tolist())) == 1


@settings(deadline=None, max_examples=5)
@given(st.sampled_from([0.15, 0.4]), st.booleans(), st.integers(0, 10**6))
def test_in_the_long_run_the_fractions_are_those_of_the_rule(frac, whole_words, seed):
    n_rows, n_words = 2000, 50
    words = torch.arange(n_words).repeat_interleave(2).expand(n_rows, -1)  # words of two tokens
    ids = torch.randint(N_SPECIAL, N_IDS, words.shape, generator=generator(seed + 1))
    masked = mask_tokens(ids, words, rule(frac, whole_words), generator(seed))
    n_masked, replaced = len(masked.positions), masked.input_ids.flatten()[masked.positions]
    assert abs(n_masked / ids.numel() - frac) < 0.01  # 100,000 words: five standard errors are 0.008 at most
    mask_frac, kept_frac = (replaced == MASK_ID).sum() / n_masked, (replaced == masked.labels).sum() / n_masked
    assert abs(mask_frac - 0.8) < 0.02
    assert abs(kept_frac - (0.1 + 0.1 / len(ORDINARY))) < 0.02  # a random token may be the original one
    drawn = replaced[(replaced != MASK_ID) & (replaced != masked.labels)]
    assert set(drawn.tolist()) == set(ORDINARY.tolist())


def test_without_whole_words_tokens_of_a_word_are_masked_independently():
    words = torch.zeros(500, 2, dtype=torch.int64)
    ids = torch.full_like(words, N_SPECIAL)
    mask = is_masked(ids, mask_tokens(ids, words, rule(0.5), generator(0)))
    assert (mask[:, 0] != mask[:, 1]).any()


def test_equal_seeds_mask_equal_tokens():
    words = torch.arange(30).expand(8, -1)
    ids = torch.full((8, 30), N_SPECIAL)
    one, again, other = (mask_tokens(ids, words, rule(), generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.input_ids, again.input_ids)
    assert torch.equal(one.positions, again.positions)
    assert one.positions.tolist() != other.positions.tolist()
