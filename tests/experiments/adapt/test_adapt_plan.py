"""`plan` for further pre-training: predictions, and elapsed times beside them."""

import pytest
from tiny_checkpoint import save_checkpoint

from finetune_alf.errors import DataError
from finetune_alf.experiments.adapt.experiment import ADAPT
from finetune_alf.experiments.adapt.stage import adapt
from finetune_alf.experiments.registry import load_params
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import Plan, plan
from finetune_alf.running.context import Context
from finetune_alf.running.prepare import prepare

PARAMS = """
compute: {n_threads: 1, precision: fp32}
encoders:
  tiny: {kind: folder, path: checkpoint}
  further: {kind: adapted, adapt: films}
samples:
  films:
    source: {kind: mini, domain: films}
    n_train: 32
    n_validation: 24
    n_confirmation: 0
    n_test: 24
    max_train_frac: 0.2
adapt:
  films:
    encoder: tiny
    sample: films
    n_steps: 8
    batch: 8
    max_tokens: 24
    rate: 1e-3
    warm_up_head: {n_steps: 4, rate: 1e-3}
    n_seeds: 2
    recipe:
      rates: {kind: uniform, rate: 1e-3, head: 1e-2}
      allow_forgetting: true
      batch: 8
      epochs: 1
      max_tokens: 16
"""


pytestmark = pytest.mark.usefixtures("quick_probes")


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> Context:
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(PARAMS)
    save_checkpoint(root / "checkpoint", "BertModel")
    return Context(load_params(root / "params.yaml"), Paths(root))


def changed_plan(ctx: Context, **changes: object) -> Plan:
    spec = ctx.params.adapt["films"].model_copy(update=changes)
    return plan(Context(ctx.params.model_copy(update={"adapt": {"films": spec}}), ctx.paths), ADAPT, "films")


def test_without_its_sample_only_the_fits_are_counted(ctx: Context) -> None:
    prepare_films = f"finetune-alf prepare films --root {ctx.paths.root}"
    assert [(stage.stage, stage.n_fits, stage.missing) for stage in plan(ctx, ADAPT, "films").stages] == [
        ("further pre-training", 1, prepare_films),
        ("comparison", 4, prepare_films),
    ]


def test_twice_the_steps_cost_more_and_a_missing_file_is_an_error(ctx: Context) -> None:
    prepare(ctx, "films")
    once, twice = (changed_plan(ctx, n_steps=n_steps).stages[0] for n_steps in (8, 16))
    assert once.seconds
    assert once.memory_bytes == twice.memory_bytes
    assert 1.3 * once.fit_flops < twice.fit_flops < 2 * once.fit_flops  # the head's steps and evaluations stay the same
    assert len(changed_plan(ctx, recipe=None).stages) == 1
    with pytest.raises(DataError, match=r"none\.txt"):
        changed_plan(ctx, file="none.txt")


def test_elapsed_times_are_reported_beside_the_predictions(ctx: Context) -> None:
    prepare(ctx, "films")
    adapt(ctx, "films")
    for stage in plan(ctx, ADAPT, "films").stages:
        assert stage.elapsed.n_fits == stage.n_fits
        assert stage.elapsed_predicted_s == pytest.approx(stage.seconds)
    ctx.paths.document("adapt", "films").unlink()
    training, comparison = plan(ctx, ADAPT, "films").stages
    assert training.elapsed  # from the record beside the weights, as before the comparison is made
    assert comparison.elapsed
