"""Experiment `decay`: layer-wise learning rate decay, a grid of rates and factors, scored on the test split.

Figure 2.1 of the thesis, a table of Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?".
"""
