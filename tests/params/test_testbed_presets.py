"""The testbed presets hold what the survey did, and what a laptop can do of it."""

import pytest

from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.schemes.published import TABLES, published_scores
from finetune_alf.schedules.published import PUBLISHED_NAMES, published


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
    assert ("gradual_from_head", "none", "constant") in TABLES["sst2"]  # it starts with the classification layer alone
    assert set(bed.left_out) == {f"head/houlsby/{curve}" for curve in ("constant", "slanted_triangular")}
    assert sum(published_scores("cola", one) is not None for one in bed.combinations) == 10


def test_the_thesis_testbeds_have_its_baseline_feature_extraction_and_schedules_on_all_four_sets(tmp_path):
    params = load_params(tmp_path / "none.yaml", ["thesis-schedules"])
    assert [name for bed in params.schemes.values() for name in bed.schedules] == list(PUBLISHED_NAMES)
    for name, bed in params.schemes.items():
        assert (bed.encoder, bed.samples) == (name, ("imdb", "yelp", "sst2", "amazon"))
        assert bed.schemes[:2] == ("fixed", "feature_extraction")
        assert (bed.score_on, bed.n_seeds, bed.stretch, bed.rescale) == ("test", 5, False, False)
        own = published(bed.schedules[0]).recipe.model_dump(exclude={"rates"})
        assert bed.recipe.model_dump(exclude={"rates"}) == own
        assert (bed.recipe.rates.highest, bed.recipe.rates.head) == (2e-5, 2e-5)


def test_the_small_thesis_testbed_has_all_six_schedules_at_another_depth(tmp_path):
    params = load_params(tmp_path / "none.yaml", ["thesis-schedules-small"])
    [bed] = params.schemes.values()
    assert bed.schedules == PUBLISHED_NAMES
    assert (bed.score_on, bed.n_seeds, bed.stretch, bed.rescale) == ("test", 5, True, True)
    sources = {name: sample.source for name, sample in params.samples.items()}
    real = load_params(tmp_path / "none.yaml", ["real-small"]).samples
    assert sources == {name: sample.source for name, sample in real.items()}
    (budget,) = load_params(tmp_path / "none.yaml", ["budget-small"]).budget.values()
    assert bed.recipe == budget.recipe
    assert {sample.n_train for sample in params.samples.values()} == {budget.n_train}


def test_the_surveys_own_rate_is_the_same_for_all(tmp_path):
    bed = load_params(tmp_path / "none.yaml", ["testbed"]).schemes["testbed"]
    assert (bed.recipe.rates.highest, bed.adapter_rate) == (0.01, None)
