"""One encoder with a head for each task, fitted by recipes that differ in one thing each, as in minBERT multi-task.

The method of Gamarra Lafuente and Udash, "Effects of Appropriate Modeling of Tasks and Hyperparameters on Downstream
Tasks" (CS224N). `spec.py` has the entry in params.yaml, `cells.py` the fits, `table.py` their scores and costs, and
`published.py` the paper's numbers. How one fit learns several tasks is in `recipe/tasks.py` and `train/`.
"""
