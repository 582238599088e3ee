"""Fits without fine-tuning: features of the encoder as pre-trained, and results like those of other fits."""

import numpy as np
import pytest
import torch

from finetune_alf.compute import Compute
from finetune_alf.data.sample import SPLITS, Card, Sample, Split, rows_digest, save_sample
from finetune_alf.encoder.spec import FolderEncoder
from finetune_alf.errors import DataError
from finetune_alf.execute import FusedExecutor
from finetune_alf.execute.attempts import run_attempts
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.job_attempts import JobAttempts
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.jobs.linear import token_features
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.recipe import ProbeRecipe, TfidfRecipe
from finetune_alf.train.forward.padded import padded
from tiny import BAD, GOOD, tiny_recipe, tiny_spec
from tiny_families import PACKED, PADDED_ONLY, table_of, tiny_encoder

LENGTHS = (5, 1, 22, 9, 9, 2)
PROBE, TFIDF = ProbeRecipe(max_tokens=12, n_folds=2), TfidfRecipe(n_folds=2)
CLASSES = ((*GOOD, *BAD), (1,) * 4 + (0,) * 4, ("bad", "good"))
SCORES = ((*GOOD, *BAD), (2.0, 2.5, 3.0, 2.5, -2.0, -2.5, -3.0, -2.5), ())
SETS = (
    ("warm meal", "warm sad meal", "a sad day", "a day", "warm bread", "sad bread", "warm and sad words", "words"),
    ((0,), (0, 1), (1,), (), (0,), (1,), (0, 1), ()),
    ("warm", "sad"),
)
PAIRS = (tuple((text, "and this") for text in (*GOOD, *BAD)), (1,) * 4 + (0,) * 4, ("bad", "good"))


def sample_of(texts, labels, names):
    splits = {name: Split(texts, labels) for name in SPLITS}
    card = Card(
        name="planted",
        source={},
        revision="1",
        label_names=names,
        counts={name: {} for name in SPLITS},
        class_counts=class_counts(labels, names),
        drawn_from={},
        n_source_rows=len(texts),
        duplicates_dropped={},
        seed=0,
        digest=rows_digest(names, splits),
    )
    return Sample("planted", card, splits)


def class_counts(labels, names):
    if not isinstance(labels[0], tuple):
        return None
    own = {name: sum(index in one for one in labels) for index, name in enumerate(names)}
    return dict.fromkeys(SPLITS, own)


@pytest.fixture
def runner_of(tmp_path):
    def create(sample):
        save_sample(tmp_path / "sample", sample)
        return FitRunner({sample.card.digest: tmp_path / "sample"}, Compute("cpu", "fp32", n_threads=1))

    return create


def run(runner, sample, recipe, seed=1, encoder=None, metric="accuracy"):
    job = FitJob("a", recipe, encoder or tiny_spec(), sample.card.digest, seed, "fp32", "test", metric)
    return runner(job, lambda metrics: True)


@pytest.mark.parametrize("family", [*PACKED, *PADDED_ONLY])
def test_features_are_what_transformers_gives_for_each_text(family):
    encoder = tiny_encoder(family, hidden=0.5, attention=0.5)
    encoder.model.train()
    table = table_of(encoder, LENGTHS)
    means, firsts = (token_features(encoder, table, pooling, "fp32", 4) for pooling in ("mean", "first"))
    for row in range(len(table)):
        with torch.no_grad():
            hidden = encoder.model.base_model(**padded(table, [row])).last_hidden_state[0].numpy()
        assert means[row] == pytest.approx(hidden.mean(0), rel=1e-5, abs=1e-5)
        assert firsts[row] == pytest.approx(hidden[0], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("planted", [CLASSES, PAIRS], ids=["texts", "pairs"])
@pytest.mark.parametrize("recipe", [PROBE, PROBE.model_copy(update={"pooling": "first"}), TFIDF])
def test_classes_that_follow_from_words_are_learned(runner_of, recipe, planted):
    sample = sample_of(*planted)
    result = run(runner_of(sample), sample, recipe)
    assert result.score == result.accuracy == result.balanced_accuracy == 1
    assert result.predictions == planted[1]
    assert 0 < result.loss < np.log(2)
    assert (result.epochs, result.kept_epoch, result.n_steps, result.stopped) == ((), None, 0, "converged")
    assert result.n_trainable_parameters > 10


@pytest.mark.parametrize("recipe", [PROBE, TFIDF])
def test_scores_are_learned_too(runner_of, recipe):
    sample = sample_of(*SCORES)
    result = run(runner_of(sample), sample, recipe, metric="pearson")
    assert result.score > 0.9
    assert result.accuracy is None
    assert result.loss < np.var(SCORES[1])


@pytest.mark.parametrize("recipe", [PROBE, TFIDF])
def test_each_class_of_a_text_is_learned_by_itself(runner_of, recipe):
    sample = sample_of(*SETS)
    result = run(runner_of(sample), sample, recipe, metric="micro_f1")
    assert (result.predictions, result.score) == (SETS[1], 1.0)
    assert (result.accuracy, result.balanced_accuracy) == (None, None)
    assert 0 < result.loss < np.log(2)
    assert result.n_trainable_parameters % 2 == 0


def test_a_class_that_a_linear_model_cannot_learn_is_named(runner_of):
    labels = ((0,), (0, 1), (0,), (), (0,), (), (0,), ())
    sample = sample_of(SETS[0], labels, SETS[2])
    with pytest.raises(DataError, match="two training texts with each class and two without it, and 'sad' has fewer"):
        run(runner_of(sample), sample, TFIDF, metric="micro_f1")


def test_a_probe_does_not_see_what_earlier_fits_did_to_the_encoder(runner_of):
    sample = sample_of(*CLASSES)
    fresh = run(runner_of(sample), sample, PROBE)
    runner = runner_of(sample)
    run(runner, sample, tiny_recipe())
    after = run(runner, sample, PROBE)
    again = run(runner, sample, PROBE, seed=2)
    assert after.loss == fresh.loss
    assert again.predictions == fresh.predictions


def test_tfidf_needs_no_encoder(runner_of):
    sample = sample_of(*CLASSES)
    assert run(runner_of(sample), sample, TFIDF, encoder=FolderEncoder(kind="folder", path="nowhere")).score == 1


def test_a_class_may_have_a_single_text_but_not_each_of_them(runner_of):
    texts, labels, names = CLASSES
    only = labels.index(1)
    rows = [*[row for row, label in enumerate(labels) if label == 0][:5], only]
    sample = sample_of([texts[row] for row in rows], [labels[row] for row in rows], names)
    assert {*run(runner_of(sample), sample, TFIDF).predictions} <= {0, 1}
    alone = sample_of([texts[row] for row in rows[-2:]], [0, 1], names)
    with pytest.raises(DataError, match="needs two training texts of one class, but each class has a single one"):
        run(runner_of(alone), alone, TFIDF)


def test_jobs_of_all_kinds_run_side_by_side_and_have_lines_of_their_own(runner_of, tmp_path):
    sample = sample_of(*CLASSES)
    runner, ledger = runner_of(sample), Ledger(tmp_path / "a.jsonl")
    recipes = [tiny_recipe(), PROBE, PROBE.model_copy(update={"pooling": "first"}), TFIDF]
    jobs = [FitJob(str(n), recipe, tiny_spec(), sample.card.digest, 1, "fp32") for n, recipe in enumerate(recipes)]
    outcomes = list(run_attempts(FusedExecutor(4, 600.0), iter(jobs), runner, JobAttempts(ledger)))
    assert {outcome.job.key: outcome.failure for outcome in outcomes} == dict.fromkeys("0123")
    assert len({ledger.identity(job) for job in jobs}) == len(jobs)
