"""A testbed of fine-tuning schemes: scheme x adapter x curve, each combination one recipe, compared side by side.

After Lawless and Pachgade, "Survey of Finetuning Techniques"; its tables are in `published.py`. `rules.py` has the
fields that a scheme sets in a recipe, `combination.py` the reasons against a combination, `spec.py` the entry in
params.yaml, `cells.py` the fits, and `compare.py` their comparison.
"""
