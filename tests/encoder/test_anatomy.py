"""Every parameter of every supported family has exactly one address."""

import pytest
import torch
from torch import nn

from finetune_alf.encoder.anatomy import anatomy_of
from finetune_alf.encoder.load import load_encoder
from finetune_alf.errors import EncoderError
from finetune_alf.rates import EMBEDDINGS, HEAD, addresses, layer

N_LAYERS = {"albert": 1}  # no other family shares its layers

OTHER_PARAMETERS = {
    "bert": [],
    "roberta": [],
    "xlm-roberta": [],
    "camembert": [],
    "distilbert": [],
    "albert": [("albert.encoder.embedding_hidden_mapping_in.weight", EMBEDDINGS)],
    "electra": [("electra.embeddings_project.weight", EMBEDDINGS)],
    "deberta": [("deberta.encoder.rel_embeddings.weight", EMBEDDINGS)],
    "deberta-v2": [
        ("deberta.encoder.rel_embeddings.weight", EMBEDDINGS),
        ("deberta.encoder.LayerNorm.weight", EMBEDDINGS),
        ("deberta.encoder.conv.conv.weight", layer(0)),
    ],
    "modernbert": [("model.final_norm.weight", layer(2)), ("head.dense.weight", HEAD)],
    "mpnet": [("mpnet.encoder.relative_attention_bias.weight", EMBEDDINGS)],
}


@pytest.fixture
def encoder(random_encoder, family):
    return load_encoder(random_encoder(family), n_labels=3)


def test_every_parameter_has_exactly_one_address(encoder):
    placed = [name for names in encoder.anatomy.parameters.values() for name in names]
    assert sorted(placed) == sorted(name for name, _ in encoder.model.named_parameters())


def test_addresses_run_from_the_input_up(encoder, family):
    assert encoder.n_layers == N_LAYERS.get(family, 3)
    assert encoder.anatomy.addresses == addresses(encoder.n_layers)
    assert all(encoder.anatomy.parameters.values()), "an address without parameters"


def test_layers_of_one_stack_are_alike(encoder, family):
    special = {name for name, _ in OTHER_PARAMETERS[family]} | {"deberta.encoder.conv", "model.layers.0.attn_norm"}
    shapes = [
        sorted(
            tuple(encoder.model.get_parameter(name).shape)
            for name in encoder.anatomy.parameters[layer(i)]
            if not any(name.startswith(other) for other in special) and "attn_norm" not in name
        )
        for i in range(encoder.n_layers)
    ]
    assert all(one == shapes[0] for one in shapes)


def test_word_embeddings_and_classifier_have_the_expected_address(encoder):
    (words,) = (n for n, p in encoder.model.named_parameters() if p is encoder.model.get_input_embeddings().weight)
    assert words in encoder.anatomy.parameters[EMBEDDINGS]
    assert all("embed" not in name for name in encoder.anatomy.parameters[HEAD])
    assert any(name.startswith("classifier") for name in encoder.anatomy.parameters[HEAD])


def test_other_parameters_of_the_body_have_the_address_of_their_table_row(encoder, family):
    for name, address in OTHER_PARAMETERS[family]:
        assert name in encoder.anatomy.parameters[address]


@pytest.mark.parametrize(
    ("family", "pooler"), [("bert", "bert.pooler.dense.weight"), ("albert", "albert.pooler.weight")]
)
def test_the_pooler_belongs_to_the_head(random_encoder, family, pooler):
    assert pooler in load_encoder(random_encoder(family), 2).anatomy.parameters[HEAD]


def test_a_model_built_by_the_user_has_addresses_too():
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    config = BertConfig(
        vocab_size=50, hidden_size=8, num_hidden_layers=5, num_attention_heads=2, intermediate_size=16, num_labels=4
    )
    anatomy = anatomy_of(BertForSequenceClassification(config))
    assert anatomy.n_layers == 5
    assert anatomy.parameters[HEAD][-1] == "classifier.bias"
    assert anatomy_of(BertModel(config)).parameters[HEAD] == ("pooler.dense.weight", "pooler.dense.bias")


def test_an_output_layer_tied_to_the_embeddings_has_their_address():
    from transformers import BertConfig, BertForMaskedLM

    model = BertForMaskedLM(
        BertConfig(vocab_size=50, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
    )
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    anatomy = anatomy_of(model)
    assert "bert.embeddings.word_embeddings.weight" in anatomy.parameters[EMBEDDINGS]
    named = [name for names in anatomy.parameters.values() for name in names]
    assert sorted(named) == sorted(name for name, _ in model.named_parameters())


def test_a_weight_tied_between_two_layers_is_refused_by_name(random_encoder):
    model = load_encoder(random_encoder(), 2).model
    model.bert.encoder.layer[2].output.dense.weight = model.bert.encoder.layer[1].output.dense.weight
    with pytest.raises(EncoderError, match=r"bert\.encoder\.layer\.1\.output\.dense\.weight \(layer\.1 and layer\.2\)"):
        anatomy_of(model)


def test_a_parameter_without_an_address_is_refused_by_name(random_encoder):
    model = load_encoder(random_encoder(), 2).model
    model.bert.encoder.gate = nn.Parameter(torch.zeros(3))
    with pytest.raises(EncoderError, match=r"exactly one address, but got bert\.encoder\.gate \(none\)"):
        anatomy_of(model)


def test_a_model_without_a_base_model_is_refused_with_the_rule():
    with pytest.raises(EncoderError, match=r"must be a transformers model.*outermost ModuleList"):
        anatomy_of(nn.Sequential(nn.Linear(2, 2)))


def test_a_model_without_a_list_of_layers_is_refused_with_the_rule():
    model = nn.Module()
    model.base_model = nn.Linear(2, 2)
    with pytest.raises(EncoderError, match=r"must have a ModuleList of layers"):
        anatomy_of(model)
