"""The cost of fits at several tasks, with adapters, and of further pre-training agrees with what is counted."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from counted import PACKED, PADDED, Rates, counted_step, lengths, recipe, tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from finetune_alf.cost.memory import fit_memory
from finetune_alf.cost.mixture import TaskLengths, batches_per_task, mixture_memory, mixture_work
from finetune_alf.cost.mlm import MaskedTraining, mlm_work
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
from finetune_alf.train.order import ShuffledOrder
from finetune_alf.train.steps import n_steps_per_epoch, steps_of_epoch

SAMPLINGS = (ProportionalSampling(), TemperedSampling(), AnnealedSampling(), RoundRobin(), JointSteps())
ALL_TRAINABLE = Rates("11111")


@pytest.fixture(scope="module")
def bare():
    return tiny()[1]


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda sampling: sampling.kind)
def test_batches_per_task_are_the_mean_of_real_fits(sampling):
    n_rows, epochs, n_steps = {"large": 90, "middle": 30, "small": 12}, 3, 400
    tasks = TasksSpec(sampling=sampling, steps_per_epoch=n_steps)
    adapter_recipe = recipe(ALL_TRAINABLE, batch=8, epochs=epochs, tasks=tasks)
    counts, orders = dict.fromkeys(n_rows, 0), {task: ShuffledOrder(n) for task, n in n_rows.items()}
    for epoch in range(epochs):
        for step in steps_of_epoch(adapter_recipe, orders, 3, epoch):
            for task, _ in step:
                counts[task] += 1
    for task, expected in batches_per_task(tasks, n_rows, epochs, n_steps).items():
        drawn = 0 if sampling.kind in ("joint", "round_robin") else 4 * math.sqrt(expected / epochs)
        assert abs(counts[task] / epochs - expected) <= drawn


@settings(deadline=None)
@given(st.lists(st.integers(3, 20), min_size=1, max_size=12), st.integers(1, 5), st.sampled_from(["11111", "00001"]))
def test_a_mixture_of_one_task_costs_what_its_fit_does(bare, texts, batch, trainable):
    plain = recipe(Rates(trainable), batch=batch, epochs=2)
    part = TaskLengths(len(texts), 1, lengths(texts, scored=[4, 9]))
    mixed = plain.model_copy(update={"tasks": TasksSpec()})
    n_steps = n_steps_per_epoch(mixed, {"one": len(texts)})
    assert mixture_work(bare, {"one": part}, mixed, PACKED, n_steps) == fit_work(bare, part.lengths, plain, PACKED)
    assert mixture_memory(bare, {"one": part}, mixed, PACKED) == fit_memory(bare, part.lengths, plain, PACKED).total


def test_a_pair_apart_is_two_texts_a_row_and_the_other_heads_are_not_updated():
    encoder, _ = tiny()
    shapes = {"alone": HeadShape(3), "apart": HeadShape(1, n_texts_per_row=2)}
    shape = shape_of(with_task_heads(encoder, shapes, HeadsSpec(n_common_layers=1)))
    parts = {"alone": TaskLengths(8, 1, lengths([5] * 8)), "apart": TaskLengths(8, 2, lengths([5] * 16))}
    mixed = recipe(Rates("00001"), batch=4, tasks=TasksSpec(sampling=RoundRobin()))
    work = mixture_work(shape, parts, mixed, PACKED, n_steps=4)
    common, own = shape.parameters["head"], [shape.parameters[f"head.{task}"] for task in shapes]
    assert work.train_batches == 4
    assert work.updates == 4 * common + 2 * sum(own)
    one = fit_work(shape, parts["alone"].lengths, recipe(Rates("00001"), batch=4), PACKED)
    assert work.train_flops == pytest.approx(3 * one.train_flops)
    joint = mixed.model_copy(update={"tasks": TasksSpec(sampling=JointSteps())})
    assert mixture_work(shape, parts, joint, PACKED, n_steps=2).updates == 2 * (common + sum(own))


def test_frozen_features_of_several_tasks_add_up(bare):
    frozen = recipe(Rates("00111"), tasks=TasksSpec())
    parts = {"a": TaskLengths(2, 1, lengths([9, 9], [30] * 40)), "b": TaskLengths(2, 1, lengths([9, 9], [30] * 10))}
    alone = mixture_memory(bare, {"a": parts["a"]}, frozen, PACKED)
    assert mixture_memory(bare, parts, frozen, PACKED) == alone + 4 * bare.hidden_size * 300


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("adapter", [HoulsbyAdapter(width=8), LoraAdapter(rank=4)], ids=lambda adapter: adapter.kind)
def test_a_step_with_adapters_takes_about_what_pytorch_counts(adapter, packed):
    encoder, bare = tiny()
    adapted = with_adapter(encoder, adapter)
    shape, texts = shape_of(adapted), [24, 17, 9, 24]
    engine = PACKED if packed else PADDED
    predicted = fit_work(shape, lengths(texts), recipe(ALL_TRAINABLE, adapter=adapter), engine).train_flops
    counted = counted_step(adapted, ALL_TRAINABLE.at, texts, packed=packed)
    # the formula includes the whole lowest layer, PyTorch stops at its lowest bottleneck
    assert predicted == pytest.approx(counted, rel=0.12)
    assert predicted < fit_work(bare, lengths(texts), recipe(ALL_TRAINABLE), engine).train_flops


def test_an_optimizer_updates_adapters_norms_and_head_only():
    encoder, _ = tiny()
    adapted = with_adapter(encoder, HoulsbyAdapter(width=8))
    adapter_recipe = recipe(ALL_TRAINABLE, adapter=HoulsbyAdapter(width=8))
    n_trainable = count_trainable_parameters(adapted, adapted.anatomy.rates(ALL_TRAINABLE.at), adapter_recipe)
    shape = shape_of(adapted)
    assert fit_work(shape, lengths([5] * 3), adapter_recipe, PACKED).updates == n_trainable
    assert fit_memory(shape, lengths([5] * 3), adapter_recipe, PACKED).optimizer == 2 * 4 * n_trainable


def test_the_backward_pass_stops_at_the_lowest_trainable_adapter():
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
    predicted = mlm_work(
        shape, [20] * 4, [], PADDED, MaskedTraining(n_steps=1, n_warm_up=0, batch=4, mask_frac=10 / 80)
    )
    assert predicted.train_flops == pytest.approx(counter.get_total_flops(), rel=0.03)
    warmed = mlm_work(shape, [20] * 4, [], PADDED, MaskedTraining(n_steps=0, n_warm_up=1, batch=4, mask_frac=10 / 80))
    assert warmed.train_flops < predicted.train_flops / 2
