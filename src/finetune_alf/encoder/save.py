"""Save the body of an encoder in a folder that `load_encoder` reads: new weights, config and tokenizer as they were."""

import shutil
from pathlib import Path

import torch

from finetune_alf.encoder.checkpoint import CONFIG_AND_TOKENIZER, WEIGHTS_FILE
from finetune_alf.encoder.masked_lm import MaskedLanguageModel
from finetune_alf.encoder.pretrained import load_checkpoint, quiet
from finetune_alf.errors import EncoderError


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
