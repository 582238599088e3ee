"""Further pre-training: an encoder learns to fill masks in texts of the task before it is fine-tuned (Sun et al. 2019).

`spec.py` says what may be asked, `texts.py` which texts are learned from, `pieces.py` how they come in batches,
`masking.py` what is hidden in them, `learn.py` holds the loop, `further.py` does one adaptation and `record.py` says
what it leaves in the encoder's folder. `compare.py` is about what fine-tuning gains by it.
"""
