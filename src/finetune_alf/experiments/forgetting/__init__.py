"""Experiment `forgetting`: the validation error against the step, by learning rate, high rates included.

Catastrophic forgetting as figure 2.2 of the thesis shows it, after Sun et al. 2019, "How to Fine-Tune BERT for Text
Classification?": at a rate of 4e-4 BERT does not converge.
"""
