from fake_studies import FakeFit, LightPool, study, study_spec

BLOCK = [["embeddings", *(f"layer.{index}" for index in range(3))]]
TWO_VECTORS = {"kind": "choices", "rates": [0.0, 5e-5], "blocks": BLOCK}


def test_a_trial_equal_to_a_complete_one_has_its_result_without_a_fit(tmp_path):
    fitted, fit = [], FakeFit()

    def counted(job, report):
        fitted.append(job.key)
        return fit(job, report)

    records = study(tmp_path, study_spec(space=TWO_VECTORS, n_trials=12), counted).records
    originals = {tuple(record.rates.values()): record for record in records if record.repeats is None}
    assert len(fitted) == len(originals) == 2
    assert len(records) == 12
    for record in records:
        original = originals[tuple(record.rates.values())]
        assert record.repeats in (None, original.number)
        assert (record.score, record.result) == (original.score, original.result)


def test_under_a_pruner_equal_trials_are_fitted_again(tmp_path):
    spec = study_spec(space=TWO_VECTORS, n_trials=6, pruner="median")
    assert {record.repeats for record in study(tmp_path, spec).records} == {None}


def test_a_pool_runs_exactly_n_trials(tmp_path):
    records = study(tmp_path, study_spec(space=TWO_VECTORS, n_trials=9), executor=LightPool(2)).records
    assert [record.number for record in records] == list(range(9))
