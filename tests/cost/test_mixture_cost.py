"""Fits at several tasks, fits with adapters and further pre-training, against what is counted."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from counted import PACKED, PADDED, Rates, counted_step, lengths, recipe, tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from finetune_alf.cost.masked import Masking, masked_work
from finetune_alf.cost.memory import fit_memory
from finetune_alf.cost.mixture import Part, mixture_memory, mixture_work, turns_of
from finetune_alf.cost.work import fit_work
from finetune_alf.encoder.adapters.inject import with_adapter
from finetune_alf.encoder.heads import HeadShape, with_task_heads
from finetune_alf.planning.probe import shape_of
from finetune_alf.recipe import HoulsbyAdapter, LoraAdapter, TasksSpec
from finetune_alf.recipe.tasks import (
    AnnealedSampling,
    HeadsSpec,
    JointSteps,
    ProportionalSampling,
    RoundRobin,
    TemperedSampling,
)
from finetune_alf.train.fit import count_trainable_parameters
from finetune_alf.train.stream import n_steps_per_epoch, steps_of_epoch

SAMPLINGS = (ProportionalSampling(), TemperedSampling(), AnnealedSampling(), RoundRobin(), JointSteps())
OPEN = Rates("11111")


@pytest.fixture(scope="module")
def bare():
    return tiny()[1]


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda sampling: sampling.kind)
def test_turns_are_those_that_fits_take_on_average(sampling):
    n_rows, epochs, n_steps = {"large": 90, "middle": 30, "small": 12}, 3, 400
    tasks = TasksSpec(sampling=sampling, steps_per_epoch=n_steps)
    asked = recipe(OPEN, batch=8, epochs=epochs, tasks=tasks)
    counts = dict.fromkeys(n_rows, 0)
    for epoch in range(epochs):
        for step in steps_of_epoch(asked, n_rows, 3, epoch):
            for task, _ in step:
                counts[task] += 1
    for task, turns in turns_of(tasks, n_rows, epochs, n_steps).items():
        drawn = 0 if sampling.kind in ("joint", "round_robin") else 4 * math.sqrt(turns / epochs)
        assert abs(counts[task] / epochs - turns) <= drawn


@settings(deadline=None)
@given(st.lists(st.integers(3, 20), min_size=1, max_size=12), st.integers(1, 5), st.sampled_from(["11111", "00001"]))
def test_a_mixture_of_one_task_costs_what_its_fit_does(bare, texts, batch, opened):
    plain = recipe(Rates(opened), batch=batch, epochs=2)
    part = Part(len(texts), 1, lengths(texts, scored=[4, 9]))
    mixed = plain.model_copy(update={"tasks": TasksSpec()})
    n_steps = n_steps_per_epoch(mixed, {"one": len(texts)})
    assert mixture_work(bare, {"one": part}, mixed, PACKED, n_steps) == fit_work(bare, part.lengths, plain, PACKED)
    assert mixture_memory(bare, {"one": part}, mixed, PACKED) == fit_memory(bare, part.lengths, plain, PACKED).total


def test_a_pair_apart_is_two_texts_a_row_and_the_other_heads_are_not_updated():
    encoder, _ = tiny()
    shapes = {"alone": HeadShape(3), "apart": HeadShape(1, n_parts=2)}
    shape = shape_of(with_task_heads(encoder, shapes, HeadsSpec(n_common_layers=1)))
    parts = {"alone": Part(8, 1, lengths([5] * 8)), "apart": Part(8, 2, lengths([5] * 16))}
    mixed = recipe(Rates("00001"), batch=4, tasks=TasksSpec(sampling=RoundRobin()))
    work = mixture_work(shape, parts, mixed, PACKED, n_steps=4)
    common, own = shape.parameters["head"], [shape.parameters[f"head.{task}"] for task in shapes]
    assert work.train_batches == 4
    assert work.updates == 4 * common + 2 * sum(own)
    one = fit_work(shape, parts["alone"].lengths, recipe(Rates("00001"), batch=4), PACKED)
    assert work.train_flops == pytest.approx(3 * one.train_flops)
    joint = mixed.model_copy(update={"tasks": TasksSpec(sampling=JointSteps())})
    assert mixture_work(shape, parts, joint, PACKED, n_steps=2).updates == 2 * (common + sum(own))


def test_what_is_kept_of_several_tasks_adds_up(bare):
    frozen = recipe(Rates("00111"), tasks=TasksSpec())
    parts = {"a": Part(2, 1, lengths([9, 9], [30] * 40)), "b": Part(2, 1, lengths([9, 9], [30] * 10))}
    alone = mixture_memory(bare, {"a": parts["a"]}, frozen, PACKED)
    assert mixture_memory(bare, parts, frozen, PACKED) == alone + 4 * bare.hidden * 300


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("adapter", [HoulsbyAdapter(width=8), LoraAdapter(rank=4)], ids=lambda adapter: adapter.kind)
def test_a_step_with_adapters_takes_about_what_pytorch_counts(adapter, packed):
    encoder, bare = tiny()
    adapted = with_adapter(encoder, adapter)
    shape, texts = shape_of(adapted), [24, 17, 9, 24]
    engine = PACKED if packed else PADDED
    told = fit_work(shape, lengths(texts), recipe(OPEN, adapter=adapter), engine).train_flops
    counted = counted_step(adapted, OPEN.at, texts, packed=packed)
    # the formula goes down through the whole of the lowest layer, PyTorch as far as its lowest bottleneck
    assert told == pytest.approx(counted, rel=0.12)
    assert told < fit_work(bare, lengths(texts), recipe(OPEN), engine).train_flops


def test_adapters_norms_and_head_are_all_that_an_optimizer_holds():
    encoder, _ = tiny()
    adapted = with_adapter(encoder, HoulsbyAdapter(width=8))
    asked = recipe(OPEN, adapter=HoulsbyAdapter(width=8))
    n_open = count_trainable_parameters(adapted, adapted.anatomy.rates(OPEN.at), asked)
    shape = shape_of(adapted)
    assert fit_work(shape, lengths([5] * 3), asked, PACKED).updates == n_open
    assert fit_memory(shape, lengths([5] * 3), asked, PACKED).optimizer == 2 * 4 * n_open


def test_adapters_of_frozen_layers_at_the_bottom_are_not_gone_back_to():
    encoder, _ = tiny()
    shape = shape_of(with_adapter(encoder, LoraAdapter(rank=4)))
    steps = [fit_work(shape, lengths([9] * 4), recipe(Rates(flags)), PADDED) for flags in ("11111", "00111", "00011")]
    assert steps[0].train_flops > steps[1].train_flops > steps[2].train_flops
    assert [step.train_calls for step in steps] == [6, 5, 4]


def test_a_step_of_further_pre_training_takes_what_pytorch_counts():
    from transformers import BertConfig, BertForMaskedLM

    encoder, shape = tiny()
    model = BertForMaskedLM(BertConfig(**{**encoder.model.config.to_dict(), "architectures": None}))
    ids, places = torch.randint(1, 60, (4, 20)), torch.arange(0, 80, 8)
    with FlopCounterMode(display=False) as counter:
        hidden = model.bert(ids, attention_mask=torch.ones_like(ids)).last_hidden_state  # (4, 20, h)
        logits = model.cls(hidden.flatten(0, 1)[places])  # (10, V)
        F.cross_entropy(logits, torch.zeros(10, dtype=torch.long)).backward()
    told = masked_work(shape, [20] * 4, [], PADDED, Masking(n_steps=1, n_warm_up=0, batch=4, mask_frac=10 / 80))
    assert told.train_flops == pytest.approx(counter.get_total_flops(), rel=0.03)
    warmed = masked_work(shape, [20] * 4, [], PADDED, Masking(n_steps=0, n_warm_up=1, batch=4, mask_frac=10 / 80))
    assert warmed.train_flops < told.train_flops / 2
