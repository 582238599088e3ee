"""Losses and predictions of the objectives, and that a fit minimises each of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf.encoder.load import load_encoder
from finetune_alf.metrics import sample_metric
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.fit import fit
from finetune_alf.train.objective import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, OBJECTIVES, SQUARED_ERROR
from finetune_alf.train.parts import TaskSplits
from tiny import tiny_recipe, tiny_spec, tokenized_split


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=8), st.data())
def test_binary_cross_entropy_is_cross_entropy_with_a_first_output_of_0(outputs, data):
    targets = torch.tensor(data.draw(st.lists(st.integers(0, 1), min_size=len(outputs), max_size=len(outputs))))
    one = torch.tensor(outputs, dtype=torch.float64)[:, None]
    two = torch.cat([torch.zeros_like(one), one], 1)
    assert torch.allclose(BINARY_CROSS_ENTROPY.losses(one, targets), CROSS_ENTROPY.losses(two, targets), atol=1e-12)
    assert BINARY_CROSS_ENTROPY.predict(one).tolist() == CROSS_ENTROPY.predict(two).tolist()


def test_a_score_is_the_output_and_its_loss_the_squared_error():
    outputs, targets = torch.tensor([[1.5], [-2.0]]), torch.tensor([1.0, 1.0])
    assert SQUARED_ERROR.losses(outputs, targets).tolist() == [0.25, 9.0]
    assert SQUARED_ERROR.predict(outputs).tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    ("kind", "n_outputs", "metric"), [("binary_cross_entropy", 1, "accuracy"), ("squared_error", 1, "pearson")]
)
def test_a_fit_minimises_every_objective(kind, n_outputs, metric):
    encoder, objective = load_encoder(tiny_spec(), n_outputs), OBJECTIVES[kind]
    plain = tokenized_split(encoder)
    split = TokenizedSplit(plain.table, plain.labels.to(objective.label_dtype), objective)
    result = fit(encoder, TaskSplits(split, split, split, sample_metric(metric, 2)), tiny_recipe(epochs=25), seed=1)
    losses = [record.train_loss for record in result.epochs]
    assert losses[-1] < 0.5 * losses[0]
    assert result.score == sample_metric(metric, 2)(split.labels.tolist(), result.predictions) > 0.9
    assert result.epochs[-1].validation_score == result.score
    assert (result.accuracy is None) == (kind == "squared_error")


def test_a_row_of_two_texts_is_two_rows_of_the_table():
    plain = tokenized_split(load_encoder(tiny_spec(), 2))
    n = len(plain) // 2
    pairs = TokenizedSplit(plain.table, plain.labels[:n], n_texts_per_row=2)
    assert len(pairs) == n
    assert pairs.table_rows([0, 3]) == [0, 3, n, n + 3]
    assert pairs.lengths.tolist() == (plain.lengths[:n] + plain.lengths[n:]).tolist()
