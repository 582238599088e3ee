"""The executor of a stage follows the section `compute`, its time limit included."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from finetune_alf.compute import ComputeSpec
from finetune_alf.execute import FusedExecutor, PoolExecutor, SerialExecutor
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context


@pytest.mark.parametrize(
    ("compute", "executor"),
    [
        (ComputeSpec(job_timeout_s=60), SerialExecutor),
        (ComputeSpec(job_timeout_s=60, n_workers=2), PoolExecutor),
        (ComputeSpec(job_timeout_s=60, n_fused=2), FusedExecutor),
    ],
)
def test_every_executor_has_the_time_limit(compute: ComputeSpec, executor: type[Any]) -> None:
    made = Context(SimpleNamespace(compute=compute), Paths(Path())).executor()  # type: ignore[arg-type]
    assert type(made) is executor
    assert made.job_timeout_s == 60
    assert made.alone().job_timeout_s == 60


def test_the_time_limit_is_a_day_unless_another_or_none_is_set() -> None:
    assert ComputeSpec().job_timeout_s == 24 * 60 * 60
    assert ComputeSpec(job_timeout_s=None).job_timeout_s is None
    with pytest.raises(ValidationError):
        ComputeSpec(job_timeout_s=0)
