"""The search for learning rates and the importance of each address: search space, sampler, pruner, trials, database.

Only this package imports Optuna. `train/` fits, `execute/` runs fits in parallel, `register/` registers the best.
"""
