"""Models as people hold them: wrapped, inside modules of their own, with adapters, or refused by name."""

import copy

import pytest
import torch
from torch import nn

from finetune_alf import param_groups, with_adapter
from finetune_alf.encoder.anatomy import anatomy_of
from finetune_alf.errors import EncoderError, RatesError
from finetune_alf.rates import HEAD, LayerRates, UniformRates, addresses
from finetune_alf.recipe import HoulsbyAdapter
from tiny import TINY_BERT, load_tiny

RATES = LayerRates.of(1e-5, [0, 2e-5, 3e-5], 4e-5)


def classifier():
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(BertConfig(**TINY_BERT))


class Own(nn.Module):
    """A module of the user's round an encoder."""

    def __init__(self, body, name="bert"):
        super().__init__()
        self.add_module(name, body)
        self.dropout, self.out = nn.Dropout(0.1), nn.Linear(16, 3)


def lora(task_type=None, **settings):
    import peft

    config = peft.LoraConfig(r=2, task_type=task_type, **({"target_modules": ["query", "value"]} | settings))
    with torch.random.fork_rng(devices=[]):
        return peft.get_peft_model(classifier(), config)


def compiled_body():
    model = classifier()
    model.bert = torch.compile(model.bert)
    return model


def parallel_body():
    model = classifier()
    model.bert = nn.DataParallel(model.bert)
    return model


def compiled_layers():
    model = classifier()
    model.bert.encoder = torch.compile(model.bert.encoder)
    return model


COMPILED = {
    "compiled": lambda: torch.compile(classifier()),
    "compiled and parallel": lambda: nn.DataParallel(torch.compile(classifier())),
    "a compiled body": compiled_body,
    "a compiled stack": compiled_layers,
}
WRAPPED = {
    "plain": classifier,
    "DataParallel": lambda: nn.DataParallel(classifier()),
    "a parallel body of a classifier": parallel_body,
    "a module of one's own": lambda: Own(classifier().bert),
    "another attribute": lambda: Own(classifier(), "encoder"),
    "a parallel body": lambda: Own(nn.DataParallel(classifier().bert), "backbone"),
    "modules in modules": lambda: nn.Sequential(Own(Own(classifier().bert), "model")),
}


ANY_WRAP = pytest.mark.parametrize(
    "wrap",
    [
        *(pytest.param(wrap, id=name) for name, wrap in WRAPPED.items()),
        # torch's compiler takes seconds to import
        *(pytest.param(wrap, id=name, marks=pytest.mark.long) for name, wrap in COMPILED.items()),
    ],
)


@ANY_WRAP
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler
def test_every_parameter_of_a_wrapped_model_has_its_one_address(wrap):
    model = wrap()
    anatomy = anatomy_of(model)
    placed = [name for names in anatomy.parameters.values() for name in names]
    assert sorted(placed) == sorted(name for name, _ in model.named_parameters())
    assert anatomy.addresses == addresses(3)
    for index in range(3):
        assert len(anatomy.parameters[f"layer.{index}"]) == 16
        assert all(f"layer.{index}." in name for name in anatomy.parameters[f"layer.{index}"])
    assert all("pooler" in name or "classifier" in name or "out." in name for name in anatomy.parameters[HEAD])


@ANY_WRAP
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_groups_of_a_wrapped_model_hold_its_own_parameters(wrap):
    model = wrap()
    groups = param_groups(model, RATES)
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert [group["address"] for group in groups] == ["embeddings", "layer.1", "layer.2", "head"]


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'there'}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def take_two_steps(model, groups):
    optimizer = torch.optim.SGD(groups)
    for _ in range(2):
        model(input_ids=torch.tensor([[1, 2, 3]]), labels=torch.tensor([1])).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def test_a_model_wrapped_for_several_processes_is_unwrapped_and_trained(one_process):
    model = classifier()
    groups = param_groups(model, RATES)
    parallel = nn.parallel.DistributedDataParallel(model)
    assert anatomy_of(parallel).addresses == addresses(3)
    before = copy.deepcopy(model.state_dict())
    take_two_steps(parallel, groups)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert any(name.startswith("bert.encoder.layer.1.") for name in changed)
    assert not any(name.startswith("bert.encoder.layer.0.") for name in changed)
    assert len(param_groups(parallel, RATES)) == len(groups)


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: nn.ModuleDict({"own": model})])
def test_freezing_after_wrapping_for_several_processes_is_refused(one_process, wrap):
    parallel = nn.parallel.DistributedDataParallel(classifier())
    with pytest.raises(RatesError, match=r"layer\.0\..*must be frozen.*Build the groups before wrapping"):
        param_groups(wrap(parallel), RATES)
    assert all(parameter.requires_grad for parameter in parallel.parameters())
    take_two_steps(parallel, param_groups(parallel, LayerRates.of(1e-5, [1e-5] * 3, 1e-5)))


@pytest.mark.parametrize("setting", ["find_unused_parameters", "static_graph"])
def test_freezing_after_wrapping_works_where_unused_parameters_are_looked_for(one_process, setting):
    parallel = nn.parallel.DistributedDataParallel(classifier(), **{setting: True})
    take_two_steps(parallel, param_groups(parallel, RATES))


def test_opening_after_wrapping_for_several_processes_is_refused(one_process):
    model = classifier()
    param_groups(model, RATES)
    parallel = nn.parallel.DistributedDataParallel(model, find_unused_parameters=True)
    with pytest.raises(RatesError, match=r"layer\.0\..*must be trained.*Build the groups before wrapping"):
        param_groups(parallel, LayerRates.of(1e-5, [1e-5] * 3, 1e-5))


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT's call
def test_what_lora_adds_learns_at_the_rate_of_its_layer(caplog):
    pytest.importorskip("peft")
    model = lora(task_type="SEQ_CLS", layers_to_transform=[0, 2])
    groups = param_groups(model, RATES)
    assert [(group["address"], group["lr"]) for group in groups] == [("adapter.2", 3e-5), ("head", 4e-5)]
    assert [RATES[group["address"]] for group in groups] == [group["lr"] for group in groups]
    anatomy = anatomy_of(model)
    assert [len(anatomy.parameters[address]) for address in ("adapter.0", "adapter.2")] == [4, 4]
    assert "adapter.1" not in anatomy.parameters
    by_name = dict(model.named_parameters())
    trained = {name for name, parameter in by_name.items() if parameter.requires_grad}
    assert all(("layer.2" in name and "lora_" in name) or "modules_to_save" in name for name in trained)
    assert "original_module" not in caplog.text
    assert "base_model.model.bert.pooler.dense.weight" in caplog.text  # PEFT froze it


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_an_adapter_of_the_embeddings_has_no_address():
    pytest.importorskip("peft")
    with pytest.raises(EncoderError, match=r"word_embeddings.*lora_embedding_A.* \(none\)"):
        anatomy_of(lora(target_modules=["word_embeddings", "query"]))


def test_bottlenecks_are_refused_with_what_to_pass():
    adapted = with_adapter(load_tiny(), HoulsbyAdapter(width=2))
    with pytest.raises(EncoderError, match="Pass the Encoder that with_adapter returned"):
        anatomy_of(adapted.model)
    assert [group["address"] for group in param_groups(adapted, RATES)] == ["adapter.1", "adapter.2", "head"]


def test_two_encoders_are_refused_by_name():
    model = nn.ModuleDict({"query": classifier(), "passage": classifier()})
    with pytest.raises(EncoderError, match=r"got 2: model\.query and model\.passage\. Pass one of them"):
        anatomy_of(model)


def test_one_encoder_in_two_places_is_one():
    body = classifier().bert
    assert anatomy_of(nn.ModuleDict({"query": body, "passage": body})).addresses == addresses(3)


class FullyShardedDataParallel(nn.Module):
    """Has the name of torch's, which needs several processes."""


def test_flattened_parameters_are_refused_with_the_way_out():
    model = FullyShardedDataParallel()
    model.module = classifier()
    with pytest.raises(EncoderError, match=r"has flattened them\. Use torch\.distributed\.fsdp\.fully_shard"):
        anatomy_of(model)


TINY_DECODER = {
    "vocab_size": 50,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "intermediate_size": 16,
    "max_position_embeddings": 16,
}


@pytest.mark.parametrize("name", ["Llama", "Qwen2", "Mistral", "Gemma", "GPTNeoX", "GPT2"])
def test_a_decoder_is_refused_by_its_type_although_its_layers_have_addresses(name):
    import transformers

    config = getattr(transformers, f"{name}Config")(**TINY_DECODER)
    model = getattr(transformers, f"{name}ForSequenceClassification")(config)
    for held in (model, Own(model.base_model), nn.DataParallel(model)):
        with pytest.raises(EncoderError, match=rf"must be an encoder, but {config.model_type} is a decoder"):
            param_groups(held, UniformRates(rate=1e-5).at(2))


def test_an_encoder_with_a_decoder_is_refused_by_the_names_of_its_parameters():
    from transformers import BartConfig, BartForSequenceClassification

    shape = {"vocab_size": 50, "d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "max_position_embeddings": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 8, "decoder_ffn_dim": 8}
    bart = BartForSequenceClassification(BartConfig(**shape, **heads))
    with pytest.raises(EncoderError, match=r"decoder\."):
        param_groups(Own(bart), UniformRates(rate=1e-5).at(2))
