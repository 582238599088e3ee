"""Stage `forgetting` on the corpus of the package: evaluations, document, an interrupted run, its prediction."""

import pytest

from finetune_alf.errors import ParamsError
from finetune_alf.experiments.forgetting.cells import ForgettingLine
from finetune_alf.experiments.forgetting.document import ForgettingDocument
from finetune_alf.experiments.forgetting.experiment import FORGETTING
from finetune_alf.experiments.registry import load_params
from finetune_alf.planning.plan import plan
from small_project import PARAMS, n_fitted_after_a_loss, project_after

CURVES = """
forgetting:
  curves:
    encoder: tiny
    sample: films
    rates: [1e-4, 1e-2]
    every_steps: 3
    n_seeds: 2
    recipe:
      rates: {kind: uniform, rate: 1e-4, head: 1e-2}
      batch: 8
      epochs: 4
      max_tokens: 16
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return project_after(FORGETTING, "curves", tmp_path_factory.mktemp("curves"), PARAMS + CURVES)


def test_every_fit_is_scored_every_so_many_steps(done):
    lines = ForgettingLine.read_lines(done.paths.cells("forgetting", "curves"))
    assert [(line.rate, line.n_steps, len(line.epochs)) for line in lines] == [
        (rate, 12, 4) for rate in (1e-4, 1e-2) for _ in range(2)
    ]
    assert len({line.loss for line in lines}) == 4
    document = ForgettingDocument.read(done.paths.document("forgetting", "curves"))
    for result in document.rates:
        own = [line for line in lines if line.rate == result.rate]
        assert [each.step for each in result.errors] == [3, 6, 9, 12]
        for number, each in enumerate(result.errors):
            accuracies = [line.epochs[number].validation_accuracy for line in own]
            assert each.mean == pytest.approx(1 - sum(accuracies) / 2)
        assert result.accuracy.mean == pytest.approx(sum(line.score for line in own) / 2)
    assert done.console.lines[-1].startswith("curves, error after 12 steps: 1e-4 ")


def test_a_second_start_that_lost_a_result_fits_only_that(done):
    before = ForgettingDocument.read(done.paths.document("forgetting", "curves"))
    assert n_fitted_after_a_loss(FORGETTING, "curves", done) == 1
    again = ForgettingDocument.read(done.paths.document("forgetting", "curves"))
    assert [each.errors for each in again.rates] == [each.errors for each in before.rates]


def test_its_fits_are_planned(done, quick_probes):
    (stage,) = plan(done, FORGETTING, "curves").stages
    assert (stage.n_fits, stage.elapsed.n_fits) == (4, 4)


def test_a_sample_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_text(PARAMS + CURVES.replace("sample: films", "sample: nowhere"))
    with pytest.raises(ParamsError, match=r"forgetting\.curves\.sample"):
        load_params(tmp_path / "params.yaml")
