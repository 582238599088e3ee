"""The testbed presets hold what the survey did, and what a laptop can do of it."""

import pytest

from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.schemes.published import TABLES, published_scores


@pytest.mark.parametrize("name", ["testbed", "testbed-small"])
def test_a_testbed_preset_has_all_rows_of_the_survey_and_its_next_steps(name, tmp_path):
    params = load_params(tmp_path / "none.yaml", [name])
    bed = params.schemes["testbed"]
    assert not params.studies
    assert {sample: bed.epochs_of(sample) for sample in bed.samples} == {"sst2": 5, "cola": 10}
    assert (bed.recipe.batch, bed.recipe.optimizer.kind) == (32, "sgd")
    names = {one.name for one in bed.combinations}
    assert {"/".join(key) for key in TABLES["sst2"]} <= names
    assert {"head/none/constant", "gradual/none/slanted_triangular", "differential/houlsby/slanted_triangular"} <= names
    assert set(bed.left_out) == {f"head/houlsby/{curve}" for curve in ("constant", "slanted_triangular")}
    assert sum(published_scores("cola", one) is not None for one in bed.combinations) == 10


def test_the_surveys_own_rate_is_the_same_for_all(tmp_path):
    bed = load_params(tmp_path / "none.yaml", ["testbed"]).schemes["testbed"]
    assert (bed.recipe.rates.highest, bed.adapter_rate) == (0.01, None)
