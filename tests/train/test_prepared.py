"""Batches prepared ahead are those of the steps, evaluations prepare them once, and no step waits for its device."""

import functools
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from finetune_alf.rates import LayerRates
from finetune_alf.recipe import SGD, AdamW
from finetune_alf.train.evaluate import evaluate
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.device_copy import copy_together
from finetune_alf.train.forward.dropout import DropoutMasks, drawn_on_device
from finetune_alf.train.forward.pack import pack
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.fused import fit_fused
from finetune_alf.train.parts import TaskSplits
from finetune_alf.train.prepared import N_AHEAD, prepared_steps
from tiny import load_tiny, task_splits, tiny_recipe, tokenized_split
from tiny_families import table_of, tiny_encoder

LENGTHS = [5, 1, 22, 9, 9, 2, 14]
some_batches = st.lists(st.lists(st.integers(0, 15), min_size=1, max_size=7), min_size=1, max_size=2 * N_AHEAD + 3)


@functools.cache
def tiny():
    return load_tiny()


@settings(max_examples=25, deadline=None)
@given(some_batches, some_batches, st.sampled_from([None, 1, 3]))
def test_prepared_batches_are_those_of_the_steps(batches, others, micro_batch):
    encoder = tiny()
    forward = PackedForward(encoder.model)
    tasks = {name: TaskSplits(*[tokenized_split(encoder)] * 3) for name in ("one", "two")}
    steps = [
        [(name, rows) for name, rows in (("one", one), ("two", two)) if rows]
        for one, two in itertools.zip_longest(batches, others)
    ]
    prepared = list(prepared_steps(steps, tasks, {"one": forward, "two": forward}, micro_batch))
    assert len(prepared) == len(steps)
    for made, wanted in zip(prepared, steps, strict=True):
        for batch, (task, rows) in zip(made, wanted, strict=True):
            split, size = tasks[task].train, micro_batch or len(rows)
            assert (batch.task, batch.weight) == (task, len(rows))
            assert torch.equal(torch.cat([chunk.labels for chunk in batch.chunks]), split.labels[rows])
            for number, chunk in enumerate(batch.chunks):
                assert_equal_batches(chunk.inputs, pack(split.table, rows[number * size :][:size]))


def assert_equal_batches(one, other):
    assert (one.n_filler, len(one.groups)) == (other.n_filler, len(other.groups))
    assert all(torch.equal(here, there) for here, there in zip(one.tensors, other.tensors, strict=True))


def test_a_batch_with_copies_of_its_tensors_is_the_same_batch():
    batch = pack(table_of(tiny_encoder("bert"), LENGTHS), range(len(LENGTHS)))
    assert any(group.bias is not None for group in batch.groups)
    copies = [tensor.clone() for tensor in batch.tensors]
    again = batch.with_tensors(iter(copies))
    assert_equal_batches(again, batch)
    assert all(here is there for here, there in zip(again.tensors, copies, strict=True))


def test_tensors_are_copied_together_once_a_dtype():
    tensors = [torch.arange(6).view(2, 3), torch.rand(2, 1, 4), torch.arange(3), torch.rand(5), torch.arange(0)]
    copied = []

    def copy(row):
        copied.append(row.dtype)
        return row.clone()

    copies = copy_together(tensors, copy)
    assert all(torch.equal(one, other) and one.dtype == other.dtype for one, other in zip(copies, tensors, strict=True))
    assert sorted(copied, key=str) == [torch.float32, torch.int64]


@pytest.mark.parametrize("kind", [PackedForward, PaddedForward])
def test_an_evaluation_prepares_its_batches_once_for_all_epochs_and_fits(kind, monkeypatch):
    encoder, split, tables = tiny(), tokenized_split(tiny()), []
    prepare = kind.prepare

    def noting(self, table, batches):
        tables.append(table)
        return prepare(self, table, batches)

    monkeypatch.setattr(kind, "prepare", noting)
    encoder.model.eval()
    first, again, other = (evaluate(kind(encoder.model), split, "fp32", batch=batch) for batch in (4, 4, 3))
    assert tables == [split.table] * 2
    assert first == again
    assert other.predictions == first.predictions
    monkeypatch.setattr("finetune_alf.train.evaluate.MAX_KEPT_TOKENS", len(split.table.input_ids) - 1)
    tables.clear()
    assert evaluate(kind(encoder.model), split, "fp32", batch=4) == first
    assert len(tables) == len(split) / 4


def test_later_fits_on_the_same_splits_prepare_training_batches_only(monkeypatch):
    encoder, n_batches = tiny(), []
    splits = TaskSplits(*(tokenized_split(encoder) for _ in range(3)))
    prepare = PackedForward.prepare

    def noting(self, table, batches):
        n_batches.append((table is splits.train.table, len(batches)))
        return prepare(self, table, batches)

    monkeypatch.setattr(PackedForward, "prepare", noting)
    results = [fit(encoder, splits, tiny_recipe(epochs=2), seed=1) for _ in range(2)]
    assert results[0].predictions == results[1].predictions
    assert sorted(n_batches) == [(False, 1)] * 2 + [(True, 4)] * 4


class NoReads(TorchDispatchMode):
    """Refuses what would wait for a GPU: reading a value, and making a tensor of Python's numbers."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.overloadpacket.__name__
        is_mask = name == "index" and any(index is not None and index.dtype == torch.bool for index in args[1])
        if is_mask or name in {"_local_scalar_dense", "lift_fresh", "nonzero", "_unique2", "repeat_interleave"}:
            raise AssertionError(f"{operation} in a step")
        return operation(*args, **(kwargs or {}))


def steps_without_reads(*args):
    for step in prepared_steps(*args):
        with NoReads():
            yield step


def drawn_as_on_a_gpu(self, shape, p, like):
    return drawn_on_device(shape, p, like)


RATES = [LayerRates.of(1e-3, [1e-3] * 3, 1e-3), LayerRates.of(0.0, [0.0, 1e-3, 0.0], 1e-3)]


@pytest.mark.parametrize("optimizer", [AdamW(weight_decay=0.1), SGD(momentum=0.9)], ids=["adamw", "sgd"])
@pytest.mark.parametrize("micro_batch", [None, 2])
def test_no_step_reads_its_device(optimizer, micro_batch, monkeypatch):
    """On a CPU; there clipping and dropout read values, so that one is left out and the other that of other devices."""
    monkeypatch.setattr("finetune_alf.train.forward.block_attention.LIBRARY_ATTENTION", {"cpu"})
    monkeypatch.setattr(DropoutMasks, "draw", drawn_as_on_a_gpu)
    for module in ("fit", "fused"):
        monkeypatch.setattr(f"finetune_alf.train.{module}.prepared_steps", steps_without_reads)
    encoder, recipe = tiny(), tiny_recipe(epochs=2, clip=None, optimizer=optimizer)
    recipes = [recipe.with_rates(rates) for rates in RATES]
    for own in recipes:
        assert fit(encoder, task_splits(encoder), own, 1, micro_batch=micro_batch).n_steps == 8
    fused = list(fit_fused(encoder, task_splits(encoder), recipes, 1, micro_batch=micro_batch))
    assert [result.n_steps for _, result in fused] == [8, 8]


def test_a_step_that_reads_a_value_is_noticed():
    with NoReads(), pytest.raises(AssertionError, match="_local_scalar_dense"):
        torch.ones(1).item()
