"""The door to transformers: a checkpoint in, an Encoder with addresses, tokenizer and first weights out.

`spec` says which encoder is meant, `locate` finds its folder, `checkpoint` refuses what must not be loaded, `load`
builds the Encoder, `anatomy` lays its parameters out by address, `weights` puts the first weights back.
"""

from finetune_alf.encoder.spec import EncoderSpec, FolderEncoder, HubEncoder, PackageEncoder, RandomEncoder

__all__ = ["EncoderSpec", "FolderEncoder", "HubEncoder", "PackageEncoder", "RandomEncoder"]
