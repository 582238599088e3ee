"""Freeze sweeps: how many of the top layers of an encoder must be trained, on several samples.

The method of Lee, Tang and Lin 2019, "What Would Elsa Do? Freezing Layers During Transformer Fine-Tuning": the
embeddings and the lowest layers are frozen, layer by layer (`levels.py`), at the rate that suits the full model best
(`line_search.py`). `operating.py` finds the smallest number of layers that keeps most of the score, `cost.py` says what
a level costs, and `table.py` puts one sample's numbers together.
"""
