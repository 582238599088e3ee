"""The door to transformers: a checkpoint in, an Encoder with addresses, tokenizer and first weights out.

`spec` says which encoder is meant, `locate` finds its folder, `checkpoint` refuses what must not be loaded,
`pretrained` reads the rest, `load` builds the Encoder of it, `anatomy` lays its parameters out by address, `weights`
puts the first weights back. `masked` gives a checkpoint a head that fills masks instead, and `save` writes its body.
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
