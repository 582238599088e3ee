"""Write an encoder's body back to a folder that the loader takes: config and tokenizer as they were, new weights."""

import shutil
from pathlib import Path

import torch

from finetune_alf.encoder.locate import BESIDE_WEIGHTS
from finetune_alf.encoder.masked_lm import MaskedLanguageModel
from finetune_alf.encoder.pretrained import load_checkpoint, quiet
from finetune_alf.encoder.spec import WEIGHTS_FILE
from finetune_alf.errors import EncoderError


def save_body(masked_lm: MaskedLanguageModel, folder: Path) -> None:
    """Write what fine-tuning starts from: the body, and the pooler as the checkpoint had it; no masked-language head.

    Equal weights give equal bytes. Raises EncoderError when a classifier of this architecture has another body.
    """
    from safetensors.torch import save_file

    for pattern in BESIDE_WEIGHTS:
        for file in sorted(masked_lm.folder.glob(pattern)):
            shutil.copyfile(file, folder / file.name)
    save_file(_body(masked_lm), folder / WEIGHTS_FILE, {"format": "pt"})
    (folder / WEIGHTS_FILE).chmod(0o644)  # the library leaves it to its owner alone


def _body(masked_lm: MaskedLanguageModel) -> dict[str, torch.Tensor]:
    """Return the tensors of a classifier's body, by their names in it: those trained, and the rest as it was."""
    with quiet(), torch.random.fork_rng(devices=[]):
        read = load_checkpoint(masked_lm.folder, "classify")
    prefix = f"{read.model.base_model_prefix}."
    there = dict(read.model.base_model.named_parameters())
    trained = dict(masked_lm.model.base_model.named_parameters())
    if strangers := sorted(set(trained) - set(there)):
        raise EncoderError(
            f"{masked_lm.folder}: a classifier must have all of the body that was trained, but lacks {strangers[0]}. "
            "Use an encoder of another architecture."
        )
    tensors: dict[str, torch.Tensor] = {**there, **trained}
    kept = (name for name in there if f"{prefix}{name}" not in read.newly_initialized)
    return {name: tensors[name].detach().cpu().contiguous().clone() for name in kept}
