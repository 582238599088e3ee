"""Save an encoder in a folder that `load_encoder` reads: the body, config and tokenizer as they were, or all of it."""

import copy
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from finetune_alf.encoder.checkpoint import CONFIG_AND_TOKENIZER, WEIGHTS_FILE
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.masked_lm import MaskedLanguageModel
from finetune_alf.encoder.pretrained import load_checkpoint, quiet
from finetune_alf.encoder.tokens import PretrainedTokenizer
from finetune_alf.errors import EncoderError
from finetune_alf.recipe import LoraAdapter, Truncation


def save_body(masked_lm: MaskedLanguageModel, folder: Path) -> None:
    """Save the body, and the pooler of the checkpoint; the masked language modelling head is left out.

    Equal weights give equal bytes. Raises EncoderError when a classifier of this architecture has another body.
    """
    from safetensors.torch import save_file

    for pattern in CONFIG_AND_TOKENIZER:
        for file in sorted(masked_lm.folder.glob(pattern)):
            shutil.copyfile(file, folder / file.name)
    save_file(_body(masked_lm), folder / WEIGHTS_FILE, {"format": "pt"})
    (folder / WEIGHTS_FILE).chmod(0o644)  # safetensors makes it readable by its owner only


def save_classifier(
    encoder: Encoder,
    folder: Path,
    label_names: Sequence[str],
    max_tokens: int,
    truncation: Truncation = "head",
    problem_type: str | None = None,
) -> None:
    """Save body, head, tokenizer and the names of the classes, as transformers reads them.

    The tokenizer's limit is `max_tokens`, and it keeps the tail of a text if `truncation` says so. A tokenizer without
    files is left out, and so are bottleneck adapters, which transformers does not know. `problem_type` is a word of
    transformers. Raises EncoderError for a LoRA adapter that is not merged.
    """
    from safetensors.torch import save_file

    if isinstance(encoder.adapter, LoraAdapter):
        raise EncoderError(
            f"{encoder.identity}: must have no adapter to be saved, but got {encoder.adapter}. Merge it."
        )
    config = copy.deepcopy(encoder.model.config)
    config.id2label = dict(enumerate(label_names))
    config.label2id = {name: index for index, name in enumerate(label_names)}
    config.problem_type = problem_type
    config.architectures = [type(encoder.model).__name__]
    config.save_pretrained(folder)
    tensors = {
        name: each.detach().cpu().contiguous().clone()
        for name, each in encoder.model.named_parameters()
        if name not in encoder.initial_weights.adapters
    }
    save_file(tensors, folder / WEIGHTS_FILE, {"format": "pt"})
    (folder / WEIGHTS_FILE).chmod(0o644)
    if isinstance(encoder.tokenizer, PretrainedTokenizer):
        tokenizer = copy.deepcopy(encoder.tokenizer.tokenizer)
        tokenizer.model_max_length = max_tokens
        if truncation == "tail":
            tokenizer.truncation_side = tokenizer.init_kwargs["truncation_side"] = "left"  # saved are these settings
        tokenizer.save_pretrained(folder)


def _body(masked_lm: MaskedLanguageModel) -> dict[str, torch.Tensor]:
    """Return the tensors of a classifier's body by name: the trained ones, and the others of the checkpoint."""
    with quiet(), torch.random.fork_rng(devices=[]):
        classifier = load_checkpoint(masked_lm.folder, "sequence classification")
    prefix = f"{classifier.model.base_model_prefix}."
    body = dict(classifier.model.base_model.named_parameters())
    trained = dict(masked_lm.model.base_model.named_parameters())
    if unknown := sorted(set(trained) - set(body)):
        raise EncoderError(
            f"{masked_lm.folder}: a classifier must have all trained parameters of the body, but lacks {unknown[0]}. "
            "Use an encoder of another architecture."
        )
    tensors: dict[str, torch.Tensor] = {**body, **trained}
    saved = (name for name in body if f"{prefix}{name}" not in classifier.newly_initialized)
    return {name: tensors[name].detach().cpu().contiguous().clone() for name in saved}
