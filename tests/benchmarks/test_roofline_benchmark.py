"""The roofline: counts from shapes, parts of a profile, and the page."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from roofline import EVALUATION_PART, bandwidth, bound, counts_of, encoder_shape, table
from roofline_counts import BatchShape, Count, EncoderShape, evaluation_count, step_counts
from roofline_profile import MASKS, OTHER, Times

from finetune_alf.encoder.load import load_encoder
from finetune_alf.recipe import AdamW
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.parts import TaskSplits
from tiny import tiny_recipe, tiny_spec, tokenized_split

ENCODER = EncoderShape(n_layers=2, hidden=4, inner=8, embedding_rows=10, n_classes=2)
BATCH = BatchShape(n_tokens=8, n_texts=2, groups=((1, 4), (1, 3)))  # seven tokens, one of filler


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(tiny_spec(), n_labels=2)


def test_parameters_are_those_of_the_encoder(encoder):
    split = tokenized_split(encoder)
    forward = PackedForward(encoder.model)
    with forward.restrict_vocabulary([split.table]):
        n_parameters = sum(parameter.numel() for parameter in encoder.model.parameters())
    assert encoder_shape(encoder, [split]).parameters == n_parameters


def test_operations_of_a_step_are_those_that_torch_counts(encoder):
    split = tokenized_split(encoder, copies=1)
    forward = PackedForward(encoder.model)
    encoder.model.train()
    with FlopCounterMode(display=False) as counter:
        forward(split.table, range(len(split))).sum().backward()
    counts = counts_of(encoder, split, split, itemsize=4)
    evaluation = counts.pop(EVALUATION_PART)
    assert sum(count.flops for count in counts.values()) == counter.get_total_flops()
    forward_only = counts["matrix products, forward"] + counts["attention, forward"]
    assert evaluation.flops == forward_only.flops


def test_bytes_of_products_and_passes_by_hand():
    counts = step_counts(ENCODER, BATCH, itemsize=2)
    # the whole layer: four of (8, 4, 4), (8, 4, 8), (8, 8, 4); the top: two of (8, 4, 4), two of (2, 4, 4), (2, 4, 8),
    # (2, 8, 4); the head: (2, 4, 4), (2, 4, 2)
    flops = 4 * 256 + 512 + 512 + 2 * 256 + 2 * 64 + 128 + 128 + 64 + 32
    weights = (4 * 16 + 32 + 32) * 2 + 16 + 8
    activations = 6 * 8 * 8 + 2 * 8 * 12 + 2 * 2 * 8 + 2 * 2 * 12 + 2 * 8 + 2 * 6
    assert counts["matrix products, forward"] == Count(flops, 2 * weights, 2 * activations)
    assert counts["matrix products, backward"] == Count(2 * flops, 4 * weights, 4 * activations)
    biases = (4 * 4 + 8 + 4) * 2 + 4 + 2
    assert counts["casts of weights"] == counts["casts of gradients"] == Count(memory_bytes=6 * (weights + biases))
    parameters = weights + biases + 5 * 8 + 10 * 4  # five norms, ten rows of embeddings
    assert counts["gradient norm"].memory_bytes == 4 * parameters
    assert counts["clipping"].memory_bytes == 8 * parameters
    assert counts["AdamW"].memory_bytes == 28 * parameters


def test_bytes_and_operations_of_attention_and_activations_by_hand():
    counts = step_counts(ENCODER, BATCH, itemsize=2)
    scores = (16 + 9) + (4 + 3)  # every query of the whole layer, one a text of the top one
    rows = 7 + 2
    assert counts["attention, forward"] == Count(2 * 2 * 4 * scores, 0, 2 * 4 * (2 * rows + 2 * 14))
    assert counts["attention, backward"] == Count(4 * 2 * 4 * scores, 0, 2 * 4 * (3 * rows + 4 * 14))
    assert counts["GELU, both ways"] == Count(cache_bytes=5 * 2 * 8 * (8 + 2))
    assert counts["layer norm, both ways"] == Count(cache_bytes=5 * 2 * 4 * (8 + 2 * (8 + 2)))


def test_fp32_has_no_casts_and_an_evaluation_in_bf16_casts_once():
    assert step_counts(ENCODER, BATCH, itemsize=4)["casts of weights"] == Count()
    one, two = (evaluation_count(ENCODER, [BATCH] * n, itemsize=2) for n in (1, 2))
    casts = step_counts(ENCODER, BATCH, itemsize=2)["casts of weights"].memory_bytes
    assert two.memory_bytes - casts == 2 * (one.memory_bytes - casts)
    assert replace(two, memory_bytes=0) == replace(one + one, memory_bytes=0)


def test_a_profile_of_a_fit_has_every_part(encoder):
    split = tokenized_split(encoder)
    recipe = tiny_recipe(epochs=2, batch=len(split), optimizer=AdamW(), clip=1e-6)
    times = Times({tuple(parameter.shape) for parameter in encoder.model.parameters()}, is_profile=True)
    with times.of_fits():
        fit(encoder, TaskSplits(split, split, split), recipe, 0, precision="bf16")
    assert len(times.steps) == len(times.evaluations) == len(times.operators) == 2
    parts = times.parts()
    assert set(parts) == {*step_counts(ENCODER, BATCH, 2), OTHER}
    assert 0 < min(times.masks) < min(times.steps)
    assert 0 < min(parts.values()) < sum(parts.values()) < max(times.steps)
    # q k' and weights v of each of three layers; the gradients of all four
    for part, n_products in (("attention, forward", 2), ("attention, backward", 4)):
        assert {len(step[part, "aten::bmm"]) for step in times.operators} <= {n_products * 3 * n for n in (1, 2, 3)}


def test_operators_belong_to_their_parts():
    weight, other = torch.ones(4, 4), torch.ones(5, 4)
    times = Times({(4, 4)}, is_profile=True)
    with times.of_step():
        torch.addmm(weight, weight, weight)
        torch.mm(weight, weight)
        cast = weight.to(torch.bfloat16)
        cast.float()
        weight.to(torch.float64)
        other.to(torch.bfloat16)
    found = {
        part: sum(len(calls) for key, calls in times.operators[0].items() if key[0] == part) for part in times.parts()
    }
    products = {"matrix products, forward": 1, "matrix products, backward": 1}
    assert found == {**products, "casts of weights": 1, "casts of gradients": 1, OTHER: 2}


def test_a_part_is_the_sum_of_the_medians_of_its_calls():
    times = Times()
    times.operators += [{("a", "x"): [first, 5.0]} for first in (1.0, 2.0, 30.0)]
    times.operators[1] |= {("a", "y"): [7.0], ("b", "x"): [9.0]}
    assert times.parts() == {"a": 2.0 + 5.0 + 7.0, "b": 9.0}


def test_the_page_compares_each_part_with_its_bound():
    rates = {"flops": 1e9, "memory_bytes": 1e9, "cache_bytes": 1e10}
    counts = {
        "matrix products, forward": {"flops": 2_000_000, "memory_bytes": 1_000_000, "cache_bytes": 0},
        "AdamW": {"flops": 0, "memory_bytes": 4_000_000, "cache_bytes": 0},
        "clipping": {"flops": 0, "memory_bytes": 9_000_000, "cache_bytes": 0},  # was not needed
        EVALUATION_PART: {"flops": 5_000_000, "memory_bytes": 0, "cache_bytes": 0},
    }
    work = {
        "title": "a work",
        "n_texts": 8,
        "n_tokens": 200,
        "n_validation": 72,
        "n_steps": 4,
        "parameters": 11_300_000,
        "seconds": {"matrix products, forward": 0.003, "AdamW": 0.006, MASKS: 0.001, OTHER: 0.5},
        "step_s": 0.012,
        "evaluation_s": 0.01,
        "counts": counts,
    }
    machine = {"started": "today", "cpu": "a processor", "precision": "bf16", "load": 1.0}
    page = table({**machine, "rates": rates, "works": [work]})
    assert "| matrix products, forward | 3.0 | 25% | 0.00 | 1.0 | 0.0 | 2.0 | 1.5 |" in page
    assert "| AdamW | 6.0 | 50% | 0.00 | 4.0 | 0.0 | 4.0 | 1.5 |" in page
    assert f"| {MASKS} | 1.0 | 8% | | | | | |\n| {OTHER} | 2.0 | 17% | | | | | |" in page
    assert "| the step | 12.0 | 100% | | | | 6.0 | 2.0 |" in page
    assert "| evaluation of 72 texts | 10.0 |  | 0.01 | 0.0 | 0.0 | 5.0 | 2.0 |" in page
    assert "clipping" not in page


def test_the_bound_is_the_slowest_of_operations_and_traffic():
    rates = {"flops": 2.0, "memory_bytes": 1.0, "cache_bytes": 10.0}
    assert bound({"flops": 8, "memory_bytes": 3, "cache_bytes": 10}, rates) == 4.0
    assert bound({"flops": 0, "memory_bytes": 3, "cache_bytes": 50}, rates) == 5.0


def test_a_bandwidth_is_a_positive_number():
    assert bandwidth(1 << 16, seconds=0.0) > 0
