"""What is hidden, and by what law: 15 %, of it 80 : 10 : 10, no special tokens, whole words whole."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.experiments.adapt.masking import NO_WORD, MaskLaw, mask

MASK_ID, N_SPECIAL, N_IDS = 4, 5, 50
ORDINARY = torch.arange(N_SPECIAL, N_IDS)


def law(frac=0.15, whole_words=False):
    return MaskLaw(frac, whole_words, MASK_ID, ORDINARY)


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


def was_hidden(ids, masked):
    chosen = torch.zeros(ids.numel(), dtype=torch.bool)
    chosen[masked.places] = True
    return chosen.view_as(ids)


@settings(deadline=None)
@given(texts(), st.floats(0.01, 0.99), st.booleans(), st.integers(0, 10**6))
def test_only_ordinary_tokens_are_hidden_and_the_truth_is_what_stood_there(batch, frac, whole_words, seed):
    ids, words = batch
    masked = mask(ids, words, law(frac, whole_words), generator(seed))
    chosen = was_hidden(ids, masked)
    assert not (chosen & (words == NO_WORD)).any()
    assert torch.equal(masked.truth, ids.flatten()[masked.places])
    assert torch.equal(masked.ids[~chosen], ids[~chosen])
    put = masked.ids[chosen]
    assert ((put == MASK_ID) | (put >= N_SPECIAL)).all()


@settings(deadline=None)
@given(texts(), st.floats(0.05, 0.95), st.integers(0, 10**6))
def test_a_word_is_hidden_whole_or_not_at_all(batch, frac, seed):
    ids, words = batch
    chosen = was_hidden(ids, mask(ids, words, law(frac, whole_words=True), generator(seed)))
    for row, of_row in zip(words, chosen, strict=True):
        for word in set(row.tolist()) - {NO_WORD}:
            assert len(set(of_row[row == word].tolist())) == 1


@settings(deadline=None, max_examples=5)
@given(st.sampled_from([0.15, 0.4]), st.booleans(), st.integers(0, 10**6))
def test_in_the_long_run_the_shares_are_those_of_the_law(frac, whole_words, seed):
    n_rows, n_words = 2000, 50
    words = torch.arange(n_words).repeat_interleave(2).expand(n_rows, -1)  # words of two tokens
    ids = torch.randint(N_SPECIAL, N_IDS, words.shape, generator=generator(seed + 1))
    masked = mask(ids, words, law(frac, whole_words), generator(seed))
    hidden, put = len(masked.places), masked.ids.flatten()[masked.places]
    assert abs(hidden / ids.numel() - frac) < 0.01  # 100,000 words: five standard errors are 0.008 at most
    behind_mask, kept = (put == MASK_ID).sum() / hidden, (put == masked.truth).sum() / hidden
    assert abs(behind_mask - 0.8) < 0.02
    assert abs(kept - (0.1 + 0.1 / len(ORDINARY))) < 0.02  # a random token is the true one now and then
    drawn = put[(put != MASK_ID) & (put != masked.truth)]
    assert set(drawn.tolist()) == set(ORDINARY.tolist())


def test_tokens_of_a_word_are_chosen_apart_unless_words_are_whole():
    words = torch.zeros(500, 2, dtype=torch.int64)
    ids = torch.full_like(words, N_SPECIAL)
    chosen = was_hidden(ids, mask(ids, words, law(0.5), generator(0)))
    assert (chosen[:, 0] != chosen[:, 1]).any()


def test_the_same_seed_hides_the_same_and_another_one_other_tokens():
    words = torch.arange(30).expand(8, -1)
    ids = torch.full((8, 30), N_SPECIAL)
    one, again, other = (mask(ids, words, law(), generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.ids, again.ids)
    assert torch.equal(one.places, again.places)
    assert one.places.tolist() != other.places.tolist()
