"""A study of a recipe with adapters is registered like any other: its rates are those of the adapters."""

import shutil
from pathlib import Path

import pytest

from finetune_alf.register.lock import read_lock
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.study import study
from small_project import small_context

CHANGES = {
    "      batch: 8\n      epochs: 4": "      batch: 8\n      epochs: 1\n      adapter: {kind: houlsby, width: 2}",
    "n_trials: 12": "n_trials: 3",
    "n_top: 2, n_seeds: 2": "n_top: 2, n_seeds: 1",
}


@pytest.mark.long
def test_a_study_with_adapters_is_compared_with_one_rate_for_all_of_them(empty_store: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(empty_store, root)
    ctx = small_context(root, **CHANGES)
    assert ctx.params.studies["tiny"].recipe.adapter is not None
    prepare(ctx, "films")
    study(ctx, "tiny")
    register(ctx, "tiny")
    lock = read_lock(ctx.paths.schedules("tiny"))
    assert lock.single_rate is not None
    assert [each.rate for each in lock.single_rate.grid] == [1e-4, 1e-3, 1e-2]
    assert lock.references is not None
    assert lock.references.baseline is not None
    for candidate in lock.candidates:
        assert candidate.from_baseline is not None
        assert candidate.from_baseline.mean == pytest.approx(candidate.mean - lock.references.baseline.mean)
    assert all(one.schedule.recipe.adapter for one in lock.schedules.values())
