"""Reset restores the initial weights exactly and initializes the head from the seed."""

import pytest
import torch

from finetune_alf.encoder import FolderEncoder
from finetune_alf.encoder.load import load_encoder
from finetune_alf.rates import HEAD


def weights(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


def same(one, other, names=None):
    return all(torch.equal(one[name], other[name]) for name in names or one)


def change_weights(encoder):
    with torch.no_grad():
        for parameter in encoder.model.parameters():
            parameter.add_(torch.randn_like(parameter))
            parameter.requires_grad_(False)


@pytest.fixture
def encoder(random_encoder, family):
    return load_encoder(random_encoder(family), n_labels=3)


def test_reset_is_exact(encoder):
    encoder.reset(5)
    before = weights(encoder)
    change_weights(encoder)
    encoder.reset(5)
    assert same(before, weights(encoder))


def test_another_seed_changes_the_head_only(encoder):
    head = set(encoder.anatomy.parameters[HEAD])
    encoder.reset(1)
    one = weights(encoder)
    encoder.reset(2)
    other = weights(encoder)
    assert same(one, other, one.keys() - head)
    drawn = {name for name in head if one[name].abs().sum() > 0 and one[name].std() > 0}
    assert drawn
    assert all(not torch.equal(one[name], other[name]) for name in drawn)


def test_the_head_is_initialized_as_the_architecture_does(random_encoder):
    encoder = load_encoder(random_encoder("bert", hidden_size=256, initializer_range=0.05), 2)
    model = encoder.model
    assert model.bert.pooler.dense.weight.std().item() == pytest.approx(0.05, rel=0.05)
    assert torch.count_nonzero(model.bert.pooler.dense.bias) == 0
    modern = load_encoder(random_encoder("modernbert", hidden_size=256), 2).model
    assert modern.head.norm.weight.tolist() == [1.0] * 256
    # the std of a normal distribution truncated at two std is .88
    assert modern.classifier.weight.std().item() == pytest.approx(0.88 * 256**-0.5, rel=0.1)


def test_reset_keeps_the_tensors_and_requires_their_gradients(encoder):
    places = {name: parameter.data_ptr() for name, parameter in encoder.model.named_parameters()}
    for parameter in encoder.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    change_weights(encoder)
    encoder.reset(0)
    for name, parameter in encoder.model.named_parameters():
        assert parameter.data_ptr() == places[name]
        assert parameter.requires_grad
        assert parameter.grad is None
        assert parameter.dtype == torch.float32


def test_reset_and_load_leave_the_global_random_state_unchanged(random_encoder):
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    load_encoder(random_encoder(), 2).reset(3)
    assert torch.equal(before, torch.random.get_rng_state())


def test_reset_does_not_depend_on_the_global_random_state(random_encoder):
    encoder = load_encoder(random_encoder(), 2)
    torch.manual_seed(1)
    encoder.reset(4)
    one = weights(encoder)
    torch.manual_seed(2)
    encoder.reset(4)
    assert same(one, weights(encoder))


def test_two_loads_of_one_spec_are_equal(random_encoder):
    one, other = (load_encoder(random_encoder(seed=7), 2) for _ in range(2))
    assert same(weights(one), weights(other))
    assert not same(weights(one), weights(load_encoder(random_encoder(seed=8), 2)))


def test_training_a_frozen_body_and_resetting_changes_the_head_only(random_encoder):
    encoder = load_encoder(random_encoder(), 2)
    head = set(encoder.anatomy.parameters[HEAD])
    before = weights(encoder)
    for name, parameter in encoder.model.named_parameters():
        parameter.requires_grad_(name in head)
    optimizer = torch.optim.SGD([encoder.model.get_parameter(name) for name in head], lr=1.0)
    encoder.model(input_ids=torch.tensor([[1, 5, 9, 2]]), labels=torch.tensor([1])).loss.backward()
    optimizer.step()
    after = weights(encoder)
    assert same(before, after, before.keys() - head)
    assert not same(before, after)
    encoder.reset(0)
    assert same(before, weights(encoder))


def test_tensors_of_the_head_in_the_checkpoint_are_restored(saved_checkpoint):
    encoder = load_encoder(FolderEncoder(kind="folder", path=str(saved_checkpoint)), n_labels=2)
    assert set(encoder.initial_weights.newly_initialized) == {"classifier.weight", "classifier.bias"}
    encoder.reset(1)
    one = weights(encoder)
    change_weights(encoder)
    encoder.reset(2)
    other = weights(encoder)
    assert {name for name in one if not torch.equal(one[name], other[name])} == {"classifier.weight"}
