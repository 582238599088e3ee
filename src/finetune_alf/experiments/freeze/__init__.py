"""How many of the top layers must learn: an encoder frozen from the input up, layer by layer, on several samples.

The method of Lee, Tang and Lin 2019, "What Would Elsa Do? Freezing Layers During Transformer Fine-Tuning". `spec.py`
says what may be asked, `levels.py` what is frozen, `search.py` how the rate is found, `cells.py` what is fitted;
`resample.py` and `operating.py` make numbers of it, `cost.py` says what a level costs, `table.py` puts it together.
"""
