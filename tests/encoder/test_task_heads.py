import pytest
import torch

from finetune_alf.encoder.heads import task_heads_of, with_task_heads
from finetune_alf.encoder.load import load_encoder
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD, UniformRates
from finetune_alf.recipe import HeadsSpec
from finetune_alf.recipe.task_plans import HeadShape

SHAPES = {"keys": HeadShape(3), "b-2": HeadShape(1, 3, 2), "c": HeadShape(1, 2)}


@pytest.fixture
def load(random_encoder):
    """Load a tiny random encoder of a family."""
    return lambda family="bert", n_labels=1: load_encoder(random_encoder(family), n_labels)


def weights(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


def test_every_family_takes_task_heads_and_every_parameter_has_one_address(family, load):
    plain = load(family)
    encoder = with_task_heads(plain, SHAPES, HeadsSpec(n_common_layers=2))
    placed = [name for names in encoder.anatomy.parameters.values() for name in names]
    assert sorted(placed) == sorted(name for name, _ in encoder.model.named_parameters())
    assert encoder.anatomy.addresses[-4:] == (HEAD, "head.keys", "head.b-2", "head.c")
    assert encoder.n_layers == plain.n_layers
    rates = encoder.anatomy.rates(UniformRates(rate=1e-5, head=1e-3).at(encoder.n_layers))
    assert {rates[f"head.{task}"] for task in SHAPES} == {1e-3}
    ids = torch.ones(4, 6, dtype=torch.long)
    for task, shape in SHAPES.items():
        task_heads_of(encoder.model).task = task
        assert encoder.model(input_ids=ids).logits.shape == (4 // shape.n_texts_per_row, shape.n_outputs)


def test_a_single_task_is_initialized_as_the_plain_classifier(family, load):
    plain = load(family, 3)
    alone = with_task_heads(load(family, 3), {"a": HeadShape(3)}, HeadsSpec(n_common_layers=0, dropout=None))
    for seed in (1, 2):
        plain.reset(seed)
        alone.reset(seed)
        pairs = zip(plain.model.named_parameters(), alone.model.parameters(), strict=True)
        differ = [name for (name, one), other in pairs if not torch.equal(one, other)]
        assert differ == (["classifier.weight"] if family == "modernbert" else [])
    assert list(alone.anatomy.parameters) == list(plain.anatomy.parameters)


def test_a_tasks_initial_head_does_not_depend_on_the_other_tasks(load):
    spec, one = HeadsSpec(n_common_layers=0), HeadShape(2)
    first = with_task_heads(load(), {"a": one, "b": HeadShape(3)}, spec)
    other = with_task_heads(load(), {"b": HeadShape(5, 4), "c": one, "a": one}, spec)
    first.reset(7)
    other.reset(7)
    there, here = weights(first), weights(other)
    names = first.anatomy.parameters["head.a"]
    assert names == other.anatomy.parameters["head.a"]
    assert all(torch.equal(there[name], here[name]) for name in names)
    c, a = (here[other.anatomy.parameters[f"head.{task}"][0]] for task in ("c", "a"))
    assert not torch.equal(c, a)  # the same shape, another name


def test_reset_restores_the_heads(load):
    encoder = with_task_heads(load(), SHAPES, HeadsSpec())
    encoder.reset(3)
    before = weights(encoder)
    with torch.no_grad():
        for parameter in encoder.model.parameters():
            parameter.add_(1.0)
    encoder.reset(3)
    assert all(torch.equal(before[name], now) for name, now in weights(encoder).items())


def test_the_original_encoder_keeps_its_head_and_dropout(load):
    plain = load(n_labels=3)
    ids = torch.ones(2, 5, dtype=torch.long)
    plain.reset(1)
    plain.model.eval()
    before, p = plain.model(input_ids=ids).logits, plain.model.dropout.p
    headed = with_task_heads(plain, SHAPES, HeadsSpec(dropout=0.6))
    assert headed.model.dropout.p == 0.6
    headed.reset(2)
    plain.reset(1)
    assert torch.equal(plain.model(input_ids=ids).logits, before)
    assert plain.model.dropout.p == p != 0.6
    assert task_heads_of(plain.model) is None
    assert headed.model.base_model is plain.model.base_model


def test_texts_of_separately_encoded_pairs_are_concatenated_at_the_output_layer(load):
    encoder = with_task_heads(load(), {"pair": HeadShape(1, 2, 2), "x": HeadShape(1)}, HeadsSpec(n_common_layers=1))
    heads = task_heads_of(encoder.model)
    heads.task = "pair"
    own, width = heads.own["of_pair"], encoder.model.config.hidden_size
    assert own.output.in_features == 2 * width
    first, second = torch.randn(3, width), torch.randn(3, width)
    deep = [own.hidden(heads.common(part)) for part in (first, second)]
    torch.testing.assert_close(heads(torch.cat([first, second])), own.output(torch.cat(deep, -1)))


@pytest.mark.parametrize(("activation", "is_linear"), [("none", True), ("tanh", False), ("relu", False)])
def test_layers_without_activation_are_one_linear_map(load, activation, is_linear):
    spec = HeadsSpec(n_common_layers=2, activation=activation)
    encoder = with_task_heads(load(), {"a": HeadShape(2, 3)}, spec)
    heads = task_heads_of(encoder.model).double()
    x, y = torch.randn(2, 1, encoder.model.config.hidden_size, dtype=torch.float64).unbind()
    nothing = heads(torch.zeros_like(x))
    same = torch.allclose(heads(3 * x + 3 * y) - nothing, 3 * (heads(x) + heads(y) - 2 * nothing), atol=1e-12)
    assert same == is_linear


def test_the_number_of_parameters_is_that_of_the_paper(load):
    # minBERT multi-task, section 5.3.4: 111.7, 114.7, 121.7 and 131.2 M parameters for 0+1, 2+2, 5+5 and 9+9 layers
    millions = {}
    for common, own in ((0, 1), (1, 1), (2, 2), (5, 5), (9, 9)):
        hidden = common + 3 * (own - 1)
        millions[common, own] = 111.7 + hidden * (768 * 768 + 768) / 1e6
    assert millions[1, 1] == pytest.approx(112.3, abs=0.06)
    assert millions[2, 2] == pytest.approx(114.7, abs=0.06)
    assert millions[5, 5] == pytest.approx(121.7, abs=0.06)
    assert millions[9, 9] == pytest.approx(131.2, abs=0.06)
    encoder = with_task_heads(load(), {t: HeadShape(1, 5) for t in "abc"}, HeadsSpec(n_common_layers=5))
    width = encoder.model.config.hidden_size
    n_hidden = sum(p.shape == (width, width) for p in task_heads_of(encoder.model).parameters())
    assert n_hidden == 5 + 3 * 4


def test_a_model_without_an_output_layer_is_refused_by_name(load):
    encoder = load(n_labels=3)
    encoder.model.config.num_labels = 4
    with pytest.raises(EncoderError, match=r"must have a linear output layer.*BertForSequenceClassification"):
        with_task_heads(encoder, SHAPES, HeadsSpec())
