"""Tiny checkpoints with a WordPiece tokenizer trained on the corpus of the package."""

import json
from importlib.resources import files
from pathlib import Path

import torch

from finetune_alf.encoder import FolderEncoder

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}


FAMILIES: dict[str, dict[str, object]] = {
    "Roberta": {"pad_token_id": 0},
    "Camembert": {"pad_token_id": 0},
    "XLMRoberta": {"pad_token_id": 0},
    "DistilBert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "Albert": {"embedding_size": 8},
    "Electra": {"embedding_size": 8},
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "ModernBert": {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3},
    "MPNet": {"pad_token_id": 0},
}
"""Families besides BERT, and what differs in their configurations."""


def films() -> list[str]:
    lines = (files("finetune_alf.data") / "mini" / "films.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def save_checkpoint(folder: Path, architecture: str = "BertForMaskedLM", **changes: object) -> Path:
    """Save random weights, with a masked-language head or without, and a tokenizer beside them."""
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=SPECIAL[1]))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        films(), trainers.WordPieceTrainer(vocab_size=200, special_tokens=SPECIAL, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    config = transformers.BertConfig(vocab_size=len(tokenizer.get_vocab()), **{**SIZES, **changes})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        getattr(transformers, architecture)(config).save_pretrained(folder)
    return folder


def save_family(folder: Path, family: str) -> Path:
    """Save random weights of another family, with its masked-language head, and the same tokenizer."""
    import transformers

    save_checkpoint(folder)
    n_ids = json.loads((folder / "config.json").read_text())["vocab_size"]
    config = getattr(transformers, f"{family}Config")(vocab_size=n_ids, **{**SIZES, **FAMILIES[family]})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        getattr(transformers, f"{family}ForMaskedLM")(config).save_pretrained(folder)
    return folder


def as_spec(folder: Path) -> FolderEncoder:
    return FolderEncoder(kind="folder", path=str(folder))
