"""Adapters: `inject` adds them to an encoder, `save` writes and reads them without the encoder."""
