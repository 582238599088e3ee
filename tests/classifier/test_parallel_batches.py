"""Batches in threads: the same results, all of them, and none after the caller has stopped."""

import time

import pytest
import torch

from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.threads import computed
from finetune_alf.compute.autocast import autocast
from finetune_alf.encoder.load import load_encoder
from tiny import BAD, GOOD, save_tiny

CPU = torch.device("cpu")
BATCHES = [[index, index + 1] for index in range(0, 60, 2)]


@pytest.fixture(params=[1, 3])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    assert torch.get_num_threads() == request.param
    torch.set_num_threads(before)


def test_every_batch_is_computed_once_in_inference_mode_and_in_the_precision(n_threads):
    def compute(rows):
        return rows[0], torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"), torch.get_num_threads()

    for precision in ("fp32", "bf16"):
        found = list(computed(compute, BATCHES, CPU, precision))
        assert sorted(rows for rows, _ in found) == BATCHES
        assert all(own == (rows[0], True, precision == "bf16", 1) for rows, own in found)
        assert not torch.is_autocast_enabled("cpu")


def test_logits_do_not_depend_on_threads_or_batches(tmp_path, n_threads):
    classifier = Classifier(load_encoder(save_tiny(tmp_path), 2), ("a", "b"), 12, "first", "fp32")
    texts = [*GOOD, *BAD] * 5
    tokens = classifier.tokens(texts)
    done = []
    logits = classifier.logits_of(tokens, 3, done.append)
    assert torch.allclose(torch.tensor(logits), torch.tensor(classifier.logits_of(tokens, 64)), atol=1e-6)
    assert len(done) == 14
    assert done == sorted(done)
    assert done[-1] == 1


def test_what_is_raised_reaches_the_caller_and_later_batches_are_not_begun(n_threads):
    begun = []

    def compute(rows):
        begun.append(rows)
        time.sleep(0.005)
        if rows == BATCHES[3]:
            raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        list(computed(compute, BATCHES, CPU, "fp32"))
    assert len(begun) < len(BATCHES) / 2
    begun.clear()
    some = computed(compute, BATCHES[4:], CPU, "fp32")
    next(some)
    some.close()
    assert len(begun) < len(BATCHES) / 2


def test_autocast_of_the_caller_is_left_as_it_was():
    with autocast(CPU, "bf16"):
        list(computed(lambda rows: rows, BATCHES, CPU, "fp32"))
        assert torch.is_autocast_enabled("cpu")
