"""Token ids of texts."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf.encoder import FolderEncoder
from finetune_alf.encoder.hash_tokenizer import WordHashTokenizer
from finetune_alf.encoder.load import load_encoder
from finetune_alf.errors import EncoderError

TEXTS = ["A good film, really.", "bad", "the food was good but the film was " + "very " * 60 + "bad"]


@pytest.mark.parametrize("pairs", [False, True], ids=["single", "pairs"])
def test_every_family_accepts_its_own_tokens(random_encoder, family, pairs):
    encoder = load_encoder(random_encoder(family), n_labels=3)
    texts = [(text, "and this?") for text in TEXTS] if pairs else TEXTS
    tokens = encoder.tokenize(texts, max_tokens=encoder.n_positions)
    width = max(map(len, tokens.input_ids))
    assert width == encoder.n_positions
    batch = {"input_ids": padded(tokens.input_ids, tokens.pad_token_id, width)}
    batch["attention_mask"] = padded([(1,) * len(row) for row in tokens.input_ids], 0, width)
    if tokens.token_type_ids is not None:
        batch["token_type_ids"] = padded(tokens.token_type_ids, 0, width)
    logits = encoder.model(**batch).logits
    assert logits.shape == (3, 3)
    assert torch.isfinite(logits).all()


def padded(rows, value, width):
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])


def test_token_types_are_given_only_to_encoders_that_use_them(random_encoder):
    takes = {name: load_encoder(random_encoder(name), 2).takes_token_types for name in ("bert", "albert", "electra")}
    assert all(takes.values())
    without = ("distilbert", "deberta", "deberta-v2", "modernbert", "mpnet")
    assert not any(load_encoder(random_encoder(name), 2).takes_token_types for name in without)
    # roberta-base has an embedding for one token type only
    assert not load_encoder(random_encoder("roberta", type_vocab_size=1), 2).takes_token_types


def test_roberta_pads_with_its_own_id_and_has_two_positions_fewer(random_encoder):
    encoder = load_encoder(random_encoder("roberta"), 2)
    assert encoder.tokenize(["x"], 8).pad_token_id == 1
    assert encoder.n_positions == 38
    assert load_encoder(random_encoder("bert"), 2).n_positions == 40


def test_more_tokens_than_positions_are_refused(random_encoder):
    encoder = load_encoder(random_encoder(), 2)
    with pytest.raises(EncoderError, match=r"max_tokens: must be at most 40 for random:.*, but got 41"):
        encoder.tokenize(["x"], 41)


def test_a_checkpoints_tokenizer_joins_and_truncates_pairs(saved_checkpoint):
    encoder = load_encoder(FolderEncoder(kind="folder", path=str(saved_checkpoint)), 2)
    single = encoder.tokenize(["good film", "bad bad bad bad bad"], 5)
    assert single.input_ids == ((2, 4, 6, 3), (2, 5, 5, 5, 3))
    assert single.pad_token_id == 0
    assert encoder.tokenize(["good film bad bad bad"], 4).input_ids == ((2, 4, 6, 3),)  # its start
    pairs = encoder.tokenize([("good film", "bad food"), ("bad bad bad bad", "food")], 6)
    assert pairs.input_ids[0] == (2, 4, 3, 5, 7, 3)
    assert pairs.token_type_ids[0] == (0, 0, 0, 1, 1, 1)
    assert pairs.input_ids[1] == (2, 5, 5, 3, 7, 3)
    assert len(encoder.tokenize([], 5)) == 0


def test_single_texts_and_pairs_cannot_be_mixed(random_encoder):
    with pytest.raises(EncoderError, match="must be all single or all pairs, but got 1 pairs among 2"):
        load_encoder(random_encoder(), 2).tokenize(["one", ("two", "three")], 8)


@pytest.mark.parametrize("kind", ["hash", "checkpoint"])
def test_a_length_of_special_tokens_only_is_refused(kind, random_encoder, saved_checkpoint):
    spec = random_encoder() if kind == "hash" else FolderEncoder(kind="folder", path=str(saved_checkpoint))
    with pytest.raises(EncoderError, match="must be more than the 3 special tokens of a text, but got 3"):
        load_encoder(spec, 2).tokenize([("a", "b")], 3)


WORDS = st.text(max_size=60)


@given(texts=st.lists(st.tuples(WORDS, WORDS)), n_ids=st.integers(4, 60), pad=st.integers(-1, 70))
def test_hashed_words_are_in_the_vocabulary_and_truncated(texts, n_ids, pad):
    tokens = WordHashTokenizer(n_ids, pad)(texts, 12, with_token_types=True)
    for ids, types in zip(tokens.input_ids, tokens.token_type_ids, strict=True):
        assert len(ids) == len(types) <= 12
        assert all(0 <= i < n_ids and i != tokens.pad_token_id for i in ids)
        assert list(types) == sorted(types)


def test_a_word_has_the_same_id_in_every_process():
    assert WordHashTokenizer(101, 0)(["Good film!"], 8, with_token_types=False).input_ids == ((1, 7, 27, 80, 2),)


def test_a_vocabulary_without_an_id_for_words_is_refused():
    with pytest.raises(EncoderError, match="must be at least 4"):
        WordHashTokenizer(3, 0)
