"""Tiny encoders of every supported family, and a checkpoint on disk."""

import json
from pathlib import Path
from typing import Any

import pytest

from finetune_alf.encoder import RandomEncoder

N_LAYERS = 3
BERT_LIKE = {
    "vocab_size": 101,
    "hidden_size": 8,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 40,
}
DEBERTA = {**BERT_LIKE, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "max_relative_positions": 8}
FAMILIES: dict[str, dict[str, Any]] = {
    "bert": BERT_LIKE,
    "roberta": BERT_LIKE,
    "distilbert": {
        "vocab_size": 101,
        "dim": 8,
        "n_layers": N_LAYERS,
        "n_heads": 2,
        "hidden_dim": 16,
        "max_position_embeddings": 40,
    },
    "albert": {**BERT_LIKE, "embedding_size": 4},
    "electra": {**BERT_LIKE, "embedding_size": 4},
    "deberta": DEBERTA,
    "deberta-v2": {
        **DEBERTA,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "conv_kernel_size": 3,
        "conv_act": "gelu",
    },
    "modernbert": {
        **BERT_LIKE,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "cls_token_id": 1,
        "sep_token_id": 2,
    },
    "mpnet": BERT_LIKE,
    "xlm-roberta": BERT_LIKE,
    "camembert": BERT_LIKE,
}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def random_encoder():
    """Return the spec of a tiny random encoder of a family."""

    def make(family: str = "bert", seed: int = 0, **changes: Any) -> RandomEncoder:
        config = {"model_type": family, **FAMILIES[family], **changes}
        return RandomEncoder.model_validate_json(json.dumps({"kind": "random", "config": config, "seed": seed}))

    return make


@pytest.fixture(scope="session")
def saved_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT without a classifier, with a word-level tokenizer, as `save_pretrained` writes it."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        BertModel(BertConfig(**BERT_LIKE)).save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "food"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=words[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return folder


@pytest.fixture
def checkpoint(saved_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint that a test may damage."""
    import shutil

    return Path(shutil.copytree(saved_checkpoint, tmp_path / "encoder"))
