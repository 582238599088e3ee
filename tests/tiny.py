"""A tiny encoder and a few texts that it can learn."""

import torch

from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import FolderEncoder, RandomEncoder
from finetune_alf.rates import ListedRates, UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.schedules import Provenance, Schedule
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.parts import TaskSplits

N_LAYERS, UNKNOWN = 3, "[UNK]"
TINY_BERT = {
    "model_type": "bert",
    "vocab_size": 64,
    "hidden_size": 16,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}
GOOD = ("warm fine meal", "a fine warm day", "warm kind people here", "fine bread and kind words")
BAD = ("cold sad meal", "a grim cold day", "sad grim people here", "cold bread and sad words")


def tiny_spec(dropout=0.1):
    config = {**TINY_BERT, "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    return RandomEncoder(kind="random", config=config, seed=1)


def save_tiny(folder, **config):
    """Save a tiny BERT with its pooler and a tokenizer of the words above; return its spec."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        BertModel(BertConfig(**(TINY_BERT | config))).save_pretrained(folder)
    words = dict.fromkeys(["[PAD]", UNKNOWN, "[CLS]", "[SEP]", *" ".join(GOOD + BAD).split()])
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {"pad_token": "[PAD]", "unk_token": UNKNOWN, "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return FolderEncoder(kind="folder", path=str(folder))


def tokenized_split(encoder, copies=2):
    texts = [text for pair in zip(GOOD, BAD, strict=True) for text in pair] * copies
    table = TokenTable.of(encoder.tokenize(tuple(texts), 12), torch.device("cpu"))
    return TokenizedSplit(table, torch.tensor([1, 0] * (len(texts) // 2)))


def tiny_recipe(**changes):
    # SGD and high rates: sixteen random numbers a token have nothing to forget
    defaults = {"rates": UniformRates(rate=2e-3, head=1e-2), "epochs": 3, "batch": 4, "max_tokens": 12}
    return Recipe(**(defaults | {"allow_forgetting": True} | changes))


def load_tiny(dropout=0.1):
    return load_encoder(tiny_spec(dropout), 2)


def task_splits(encoder):
    split = tokenized_split(encoder)
    return TaskSplits(train=split, validation=split, scored=split)


def tiny_schedule(rates, **changes):
    """A schedule of these rates, as a study of the tiny encoder would register it."""
    recipe = tiny_recipe(**({"rates": ListedRates.from_rates(rates)} | changes))
    provenance = Provenance(
        study="tiny", encoder="random:1", architecture="bert", n_layers=rates.n_layers, sample_name="meals"
    )
    return Schedule(name="tiny-alf-1", recipe=recipe, provenance=provenance)
