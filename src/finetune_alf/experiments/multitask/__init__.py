"""One encoder, a head for each task: cells that differ in one thing each, as in minBERT multi-task.

The method of Gamarra Lafuente and Udash, "Effects of Appropriate Modeling of Tasks and Hyperparameters on Downstream
Tasks" (CS224N). `spec.py` says what may be asked, `cells.py` what is fitted, `table.py` makes numbers of it, and
`published.py` has theirs. How several tasks are learned at once is the business of `recipe/tasks.py` and `train/`.
"""
