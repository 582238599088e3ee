"""Encoders: checkpoints loaded through transformers, with an address for each parameter and resettable weights.

`spec` names an encoder, `locate` finds its folder, `checkpoint` checks its files, `pretrained` loads config, weights
and tokenizer, and `load` builds the Encoder. `anatomy` gives every parameter an address, `initial_weights` resets it.
`masked_lm` loads a checkpoint with a masked language modelling head, and `save` writes its body.
"""

from finetune_alf.encoder.spec import (
    AdaptedEncoder,
    EncoderSpec,
    FolderEncoder,
    HubEncoder,
    PackageEncoder,
    RandomEncoder,
)

__all__ = ["AdaptedEncoder", "EncoderSpec", "FolderEncoder", "HubEncoder", "PackageEncoder", "RandomEncoder"]
