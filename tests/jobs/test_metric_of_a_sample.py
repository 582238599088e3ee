"""F1 of a sample whose validation split shows fewer classes than the sample has: the sample's classes count."""

import pytest
from sklearn.metrics import f1_score

from finetune_alf.compute import Compute
from finetune_alf.data.mixture import Mixture, card_of
from finetune_alf.data.sample import SPLITS, Card, Sample, Split, rows_digest, save_sample
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.json_files import write_json
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import HeadsSpec, TaskSpec, TasksSpec
from tiny import BAD, GOOD, tiny_recipe, tiny_spec


def sample_of(label_names):
    """Two classes occur; one text of the validation split has the other class's words, so that F1 is below 1."""
    texts, labels = (*GOOD, *BAD), (1, 1, 1, 1, 0, 0, 0, 0)
    splits = dict.fromkeys(SPLITS, Split(texts, labels)) | {"validation": Split(texts, (*labels[:-1], 1))}
    card = Card(
        name="reviews",
        source={},
        revision="",
        label_names=label_names,
        counts={split: {"rows": 8} for split in SPLITS},
        drawn_from={},
        n_source_rows=32,
        duplicates_dropped={},
        seed=0,
        digest=rows_digest(label_names, splits),
    )
    return Sample("reviews", card, splits)


@pytest.fixture
def fit_runner_for(tmp_path):
    def create(sample, is_mixture=False):
        if is_mixture:
            sample = Mixture("mix", card_of("mix", {"reviews": sample.card}), {"reviews": sample})
            save_sample(tmp_path / "reviews", sample.tasks["reviews"])
            write_json(tmp_path / "card.json", sample.card.model_dump(mode="json"))
        else:
            save_sample(tmp_path, sample)
        return FitRunner({sample.card.digest: tmp_path}, Compute("cpu", "fp32", n_threads=1)), sample.card.digest

    return create


def job_of(digest, key="a", rate=2e-3, **changes):
    recipe = tiny_recipe(rates=UniformRates(rate=rate, head=1e-2), epochs=3, **changes)
    return FitJob(key, recipe, tiny_spec(0.0), digest, 1, "fp32", metric="f1")


def assert_f1(labels, predictions, score, average):
    assert set(predictions) <= {0, 1}  # the third class never shows
    assert score == pytest.approx(f1_score(labels, predictions, average=average, zero_division=0.0))
    other = "macro" if average == "binary" else "binary"
    assert score != pytest.approx(f1_score(labels, predictions, average=other, zero_division=0.0))


CASES = pytest.mark.parametrize(
    ("label_names", "average"), [(("bad", "good", "mixed"), "macro"), (("bad", "good"), "binary")]
)


@CASES
def test_a_fit_is_scored_over_the_samples_classes(fit_runner_for, label_names, average):
    sample = sample_of(label_names)
    fit_runner, digest = fit_runner_for(sample)
    result = fit_runner(job_of(digest), lambda metrics: True)
    assert_f1(sample.splits["validation"].labels, result.predictions, result.score, average)
    assert result.epochs[-1].validation_score == result.score


@CASES
def test_fused_fits_are_scored_over_the_samples_classes(fit_runner_for, label_names, average):
    sample = sample_of(label_names)
    fit_runner, digest = fit_runner_for(sample)
    jobs = [job_of(digest), job_of(digest, "b", 1.5e-3)]
    outcomes = list(fit_runner.run_fused(jobs, lambda job, metrics: True))
    for outcome in outcomes:
        assert_f1(sample.splits["validation"].labels, outcome.result.predictions, outcome.result.score, average)


@CASES
def test_a_task_of_a_mixture_is_scored_over_its_own_classes(fit_runner_for, label_names, average):
    sample = sample_of(label_names)
    fit_runner, digest = fit_runner_for(sample, is_mixture=True)
    tasks = TasksSpec(heads=HeadsSpec(), each={"reviews": TaskSpec(metric="f1")})
    result = fit_runner(job_of(digest, tasks=tasks), lambda metrics: True).tasks["reviews"]
    assert_f1(sample.splits["validation"].labels, result.predictions, result.score, average)
