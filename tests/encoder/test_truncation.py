"""What is kept of long texts: beginning, end, or both, by hashed words and by a checkpoint's tokenizer alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf.encoder.hash_tokenizer import WordHashTokenizer
from finetune_alf.encoder.truncation import kept_of_pair, kept_positions

TRUNCATIONS, UNKNOWN = ("head", "tail", "head_tail"), "[UNK]"
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def test_head_and_tail_are_128_and_382_of_510_tokens():
    kept = kept_positions(1000, 510, "head_tail")
    assert kept == [*range(128), *range(1000 - 382, 1000)]
    assert kept_positions(1000, 510, "head") == [*range(510)]
    assert kept_positions(1000, 510, "tail") == [*range(490, 1000)]


@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from(TRUNCATIONS))
def test_as_many_tokens_as_fit_are_kept_in_order(n_tokens, n_kept, truncation):
    kept = kept_positions(n_tokens, n_kept, truncation)
    assert len(kept) == min(n_tokens, n_kept)
    assert kept == sorted(set(kept))
    assert all(0 <= position < n_tokens for position in kept)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 40))
def test_of_a_pair_tokens_are_taken_from_the_longer_text_one_by_one(n_first, n_second, n_kept):
    first, second = n_first, n_second
    while first + second > n_kept:
        first, second = (first - 1, second) if first >= second else (first, second - 1)
    assert kept_of_pair(n_first, n_second, n_kept) == (first, second)


@pytest.mark.parametrize(
    ("truncation", "kept"),
    [("head", "one two three four"), ("tail", "seven eight nine ten"), ("head_tail", "one eight nine ten")],
)
def test_hashed_words_and_those_of_a_checkpoint_are_cut_alike(truncation, kept, word_tokenizer):
    for tokenizer in (WordHashTokenizer(997, 0), word_tokenizer):
        cut, whole = (
            tokenizer([" ".join(words)], n, with_token_types=True, truncation=how)
            for words, n, how in ((WORDS, 6, truncation), (kept.split(), 20, "head"))
        )
        assert cut == whole


@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_each_text_of_a_pair_is_cut_so(truncation, word_tokenizer):
    first, second = (" ".join(words) for words in (WORDS, WORDS[:3]))
    kept = {"head": WORDS[:4], "tail": WORDS[-4:], "head_tail": [WORDS[0], *WORDS[-3:]]}[truncation]
    for tokenizer in (WordHashTokenizer(997, 0), word_tokenizer):
        cut = tokenizer([(first, second)], 10, with_token_types=True, truncation=truncation)
        assert cut == tokenizer([(" ".join(kept), second)], 20, with_token_types=True)
        assert cut.token_type_ids == ((0,) * 6 + (1,) * 4,)


def test_short_texts_are_whole_in_every_way(word_tokenizer):
    for tokenizer in (WordHashTokenizer(997, 0), word_tokenizer):
        found = {tokenizer(["one two", "ten"], 12, with_token_types=False, truncation=each) for each in TRUNCATIONS}
        assert len(found) == 1
        assert tokenizer([], 12, with_token_types=False, truncation="tail").input_ids == ()


@pytest.fixture(scope="module")
def word_tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    from finetune_alf.encoder.tokens import PretrainedTokenizer

    words = {word: index for index, word in enumerate(["[PAD]", UNKNOWN, "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    special = {"pad_token": "[PAD]", "unk_token": UNKNOWN, "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PretrainedTokenizer(PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special))
