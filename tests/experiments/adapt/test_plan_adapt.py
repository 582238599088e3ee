"""`finetune-alf plan` for further pre-training: what it will take, and what it took."""

import pytest
from tiny_checkpoint import save_checkpoint

from finetune_alf.errors import DataError
from finetune_alf.experiments.adapt.stage import adapt
from finetune_alf.experiments.registry import load_params
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import Plan, plan
from finetune_alf.running.context import Context
from finetune_alf.running.prepare import prepare

PARAMS = """
compute: {n_threads: 1}
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
    precision: fp32
    warm_up_head: {n_steps: 4, rate: 1e-3}
    n_seeds: 2
    n_resamples: 200
    recipe:
      rates: {kind: uniform, rate: 1e-3, head: 1e-2}
      allow_forgetting: true
      batch: 8
      epochs: 1
      max_tokens: 16
      precision: fp32
"""


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> Context:
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(PARAMS)
    save_checkpoint(root / "checkpoint", "BertModel")
    return Context(load_params(root / "params.yaml"), Paths(root))


def longer(ctx: Context, **changes: object) -> Plan:
    spec = ctx.params.adapt["films"].model_copy(update=changes)
    return plan(Context(ctx.params.model_copy(update={"adapt": {"films": spec}}), ctx.paths), "adapt", "films")


def test_without_its_sample_only_the_fits_are_counted(ctx: Context) -> None:
    told = plan(ctx, "adapt", "films")
    assert [(stage.stage, stage.n_fits, stage.missing) for stage in told.stages] == [
        ("further pre-training", 1, "finetune-alf prepare films"),
        ("comparison", 4, "finetune-alf prepare films"),
    ]


def test_steps_cost_what_they_are_and_a_missing_file_is_told(ctx: Context) -> None:
    prepare(ctx, "films")
    once, twice = plan(ctx, "adapt", "films"), longer(ctx, n_steps=16)
    first, second = once.stages[0], twice.stages[0]
    assert first.seconds
    assert first.memory_bytes == second.memory_bytes
    assert first.fit_flops
    assert second.fit_flops
    assert 1.3 * first.fit_flops < second.fit_flops < 2 * first.fit_flops  # warming up and measuring stay the same
    assert len(longer(ctx, recipe=None).stages) == 1
    with pytest.raises(DataError, match=r"none\.txt"):
        longer(ctx, file="none.txt")


def test_what_was_trained_and_compared_is_shown_beside_it(ctx: Context) -> None:
    prepare(ctx, "films")
    adapt(ctx, "films")
    for stage in plan(ctx, "adapt", "films").stages:
        assert stage.elapsed
        assert stage.elapsed.n_fits == stage.n_fits
        assert stage.elapsed_predicted_s == pytest.approx(stage.seconds)
    ctx.paths.adapt("films").unlink()
    trained, compared = plan(ctx, "adapt", "films").stages
    assert trained.elapsed  # the record beside the weights tells it before the comparison is made
    assert compared.elapsed
