"""What a fit's run in MLflow holds."""

from finetune_alf.compute import Environment
from finetune_alf.rates import HEAD, LayerRates, UniformRates, layer
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
    assert (logged["movement/layer.0"], logged["movement/head"]) == (0.0, 0.25)


def test_rates_are_params_also_as_logarithms_and_a_rate_of_0_has_its_place():
    recipe = RECIPE.with_rates(LayerRates.of(0.0, [1e-12], 2e-5))
    run = fit_run("key", "name", recipe, 1, finished(None), ENVIRONMENT, scores={}, tags={})
    logs = {name: value for name, value in run.params.items() if name.startswith("rate_log10/")}
    assert logs == {"rate_log10/embeddings": "-10", "rate_log10/layer.0": "-10", "rate_log10/head": "-4.699"}
    assert run.params["rates.embeddings"] == "0"


def test_what_is_measured_once_is_at_step_0():
    run = fit_run("key", "name", RECIPE, 1, finished(None), ENVIRONMENT, scores={"test.accuracy": 0.5}, tags={})
    assert {metric.step for metric in run.metrics} == {0}
    assert {metric.name.partition("/")[0] for metric in run.metrics} == {"score", "cost"}


def test_a_result_of_an_older_version_has_no_movement():
    older = finished(None).model_dump_json(exclude={"movement"})
    assert not [name for name in metrics(FitResult.model_validate_json(older)) if name.startswith("movement")]
