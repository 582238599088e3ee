"""What a fit's run in MLflow holds."""

from finetune_alf.compute import Environment
from finetune_alf.rates import HEAD, UniformRates, layer
from finetune_alf.recipe import Recipe
from finetune_alf.running.nested_runs import fit_run
from finetune_alf.train.result import FitResult

ENVIRONMENT = Environment.model_construct(precision="fp32", device="cpu", git_commit=None)
RECIPE = Recipe(rates=UniformRates(rate=1e-5), epochs=1, batch=4, max_tokens=8)


def finished(movement):
    result = {"epochs": (), "kept_epoch": 0, "score": 0.5, "accuracy": 0.5, "balanced_accuracy": 0.5, "loss": 0.7}
    result |= {"predictions": (0, 1), "stopped": "epochs", "seconds": 1.0, "n_steps": 2, "started_ms": 0}
    return FitResult(**result, n_trainable_parameters=3, movement=movement)


def metrics(result):
    run = fit_run("key", "name", RECIPE, 1, result, ENVIRONMENT, scores={"test.accuracy": 0.5}, tags={})
    return {metric.name: metric.value for metric in run.metrics}


def test_a_run_has_the_movement_of_each_address():
    logged = metrics(finished({layer(0): 0.0, HEAD: 0.25}))
    assert (logged["movement.layer.0"], logged["movement.head"]) == (0.0, 0.25)


def test_a_result_of_an_older_version_has_no_movement():
    older = finished(None).model_dump_json(exclude={"movement"})
    assert not [name for name in metrics(FitResult.model_validate_json(older)) if name.startswith("movement")]
