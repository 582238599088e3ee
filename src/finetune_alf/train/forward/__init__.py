"""From token ids to logits in two ways, the same mathematics: `padded.py` for any encoder, `packed.py` fast."""
