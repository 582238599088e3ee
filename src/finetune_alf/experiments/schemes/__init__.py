"""A testbed of fine-tuning schemes: scheme x adapter x curve, each combination one recipe, side by side.

After Lawless and Pachgade, "Survey of Finetuning Techniques", whose tables `published.py` holds. `rules.py` says what a
scheme sets, `combination.py` which combinations make sense, `spec.py` what may be asked, `cells.py` what is fitted, and
`compare.py` makes numbers of it.
"""
