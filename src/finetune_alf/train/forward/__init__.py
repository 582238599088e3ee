"""From token ids to logits: `padded.py` for any encoder, `packed.py` the same mathematics without padding."""
