"""Further pre-training: an encoder is trained by masked language modelling (MLM) before fine-tuning (Sun et al. 2019).

`texts.py` selects the texts, `pieces.py` orders their batches, `masking.py` masks tokens, `train.py` has the training
loop, `pretraining.py` makes one adapted encoder, and `record.py` describes what is in its folder. `compare.py` compares
fine-tuning from the plain and from the adapted encoder.
"""
