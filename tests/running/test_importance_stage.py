"""Stage `importance` on the trials of a study that was not fitted."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from fake_results import ENVIRONMENT
from finetune_alf.json_files import write_json, write_jsonl
from finetune_alf.rates import LayerRates
from finetune_alf.running.context import Context
from finetune_alf.running.importance import importance
from finetune_alf.study.documents import LayerImportance
from finetune_alf.study.spec import ImportanceSpec
from small_project import small_context

GRID = [0.0, 1e-4, 1e-3, 1e-2]


def with_trials(ctx: Context, n_trials: int, sampler: str = "tpe") -> Context:
    """Write a study whose rate of the embeddings alone decides the score."""
    rows = []
    for number, (top, low, embeddings) in zip(range(n_trials), product(GRID, repeat=3), strict=False):
        rates = {str(a): rate for a, rate in LayerRates.of(embeddings, [low, top], 1e-2).items()}
        fit = {"number": number, "state": "complete", "rates": rates, "score": float(GRID.index(embeddings))}
        fit |= {"reason": None, "started_ms": 0, "ended_ms": 0, "environment": ENVIRONMENT.as_json(), "result": None}
        rows.append(fit)
    folder = ctx.paths.study_results("tiny")
    write_jsonl(folder / "trials.jsonl", rows)
    write_json(folder / "study.json", settings(ctx, sampler, n_trials))
    return ctx


def settings(ctx: Context, sampler: str, n_trials: int) -> dict[str, Any]:
    spec = ctx.params.studies["tiny"].model_dump(mode="json")
    about = {key: spec[key] for key in ("metric", "space", "pruner", "seed", "enqueue", "recipe")}
    about |= {"name": "tiny", "digest": "5a" * 32, "sampler": {"kind": sampler}, "n_trials": n_trials}
    about |= {"encoder": {"name": "tiny", "identity": "random", "n_layers": 2}}
    about |= {"sample": {"name": "films", "digest": "5a" * 32}}
    return about | {"n_workers": 1, "n_fused": 1, "environments": [], "seconds": 1.0}


def stage(ctx: Context) -> LayerImportance:
    importance(ctx, "tiny")
    path = ctx.paths.importance("tiny")
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    return LayerImportance.read(path)


def test_the_first_address_is_logged_with_the_draws_in_which_it_is_first(tmp_path) -> None:
    ctx = with_trials(small_context(tmp_path / "p"), 64)
    document = stage(ctx)
    assert document.evaluators["fanova"]["embeddings"].n_first == 3
    line = ctx.console.lines[-1]
    assert line.startswith(
        "tiny: the rate of embeddings makes the largest part of the difference between trials, 1.000, as "
    )
    assert line.endswith("fANOVA estimates it; it is first in 3 of 3 draws from the trials.")
    assert len(ctx.console.notes) == 3


@pytest.mark.parametrize(("sampler", "is_tested"), [("tpe", False), ("random", True), ("qmc", True)])
def test_the_sampler_that_the_study_was_run_with_decides_whether_drawn_trials_are_tested(
    tmp_path, sampler: str, is_tested: bool
) -> None:
    document = stage(with_trials(small_context(tmp_path / "p"), 20, sampler))
    assert (document.n_trials, document.n_tested) == (20, 19)  # one is enqueued
    assert document.direction["embeddings"].rho is not None
    assert {way.p_holm is not None for way in document.direction.values()} == {is_tested}


def test_a_study_of_few_trials_has_a_reason_and_the_run_goes_on(tmp_path) -> None:
    ctx = with_trials(small_context(tmp_path / "p"), 4)
    document = stage(ctx)
    assert document.evaluators == {}
    assert ctx.console.lines[-1] == (
        "tiny: no importance is estimated, because it takes 8 complete and different trials within the space, and "
        "there are 4."
    )


def test_what_was_estimated_is_estimated_again_only_where_something_has_changed(tmp_path) -> None:
    ctx = with_trials(small_context(tmp_path / "p"), 20)

    def n_estimates(ctx: Context = ctx, **options: bool) -> int:
        before = len(ctx.console.notes)
        importance(ctx, "tiny", **options)
        assert ctx.console.lines[-1].startswith("tiny: the rate of ")
        return len(ctx.console.notes) - before

    assert [n_estimates(again=False), n_estimates(again=False), n_estimates(), n_estimates(again=False)] == [3, 0, 3, 0]
    ctx.paths.importance("tiny").with_suffix(".png").unlink()
    assert [n_estimates(again=False), n_estimates(again=False)] == [3, 0]
    (ctx.paths.studies / "importance-tiny.json").write_text("{")
    assert [n_estimates(again=False), n_estimates(again=False)] == [3, 0]
    with_trials(ctx, 21)
    assert [n_estimates(again=False), n_estimates(again=False)] == [3, 0]
    changed = replace(ctx, params=ctx.params.model_copy(update={"importance": ImportanceSpec(n_resamples=4)}))
    assert [n_estimates(changed, again=False), n_estimates(changed, again=False)] == [4, 0]
