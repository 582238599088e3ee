"""What a head's outputs mean, and that a fit learns by any of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import labelled, tiny_recipe, tiny_spec

from finetune_alf.encoder.load import load_encoder
from finetune_alf.metrics import METRICS
from finetune_alf.train.batches import Labelled
from finetune_alf.train.fit import FitTexts, fit
from finetune_alf.train.objective import BINARY, CLASSES, OBJECTIVES, SCORE


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=8), st.data())
def test_one_output_for_two_classes_is_two_outputs_of_which_the_first_is_0(outputs, data):
    targets = torch.tensor(data.draw(st.lists(st.integers(0, 1), min_size=len(outputs), max_size=len(outputs))))
    one = torch.tensor(outputs, dtype=torch.float64)[:, None]
    two = torch.cat([torch.zeros_like(one), one], 1)
    assert torch.allclose(BINARY.losses(one, targets), CLASSES.losses(two, targets), atol=1e-12)
    assert BINARY.read(one).tolist() == CLASSES.read(two).tolist()


def test_a_score_is_the_output_and_its_loss_the_squared_error():
    outputs, targets = torch.tensor([[1.5], [-2.0]]), torch.tensor([1.0, 1.0])
    assert SCORE.losses(outputs, targets).tolist() == [0.25, 9.0]
    assert SCORE.read(outputs).tolist() == [1.5, -2.0]


@pytest.mark.parametrize(("kind", "n_outputs", "metric"), [("binary", 1, "accuracy"), ("score", 1, "pearson")])
def test_a_fit_learns_by_every_objective(kind, n_outputs, metric):
    encoder, objective = load_encoder(tiny_spec(), n_outputs), OBJECTIVES[kind]
    plain = labelled(encoder)
    split = Labelled(plain.table, plain.labels.to(objective.target), objective)
    result = fit(encoder, FitTexts(split, split, split, metric), tiny_recipe(epochs=25), seed=1)
    losses = [record.train_loss for record in result.epochs]
    assert losses[-1] < 0.5 * losses[0]
    assert result.score == METRICS[metric](split.labels.tolist(), result.predictions) > 0.9
    assert result.epochs[-1].validation_score == result.score
    assert (result.accuracy is None) == (kind == "score")


def test_a_row_of_two_texts_stands_at_two_places_of_the_table():
    plain = labelled(load_encoder(tiny_spec(), 2))
    n = len(plain) // 2
    pairs = Labelled(plain.table, plain.labels[:n], n_parts=2)
    assert len(pairs) == n
    assert pairs.places([0, 3]) == [0, 3, n, n + 3]
    assert pairs.lengths.tolist() == (plain.lengths[:n] + plain.lengths[n:]).tolist()
