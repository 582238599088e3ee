"""The search for good rates and what it says about the layers: space, sampler, pruner, coordinator, importance.

Optuna stays in here. Who fits is `train/`, where fits run is `execute/`, what is done with the best is `register/`.
"""
