import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import chisquare

from finetune_alf.recipe import TasksSpec
from finetune_alf.recipe.tasks import AnnealedSampling, JointSteps, ProportionalSampling, RoundRobin, TemperedSampling
from finetune_alf.train.batches import shuffled_batches
from finetune_alf.train.order import ShuffledOrder
from finetune_alf.train.steps import n_steps_per_epoch, steps_of_epoch
from tiny import tiny_recipe

SIZES = {"large": 900, "middle": 100, "small": 25}
ORDERS = {task: ShuffledOrder(n) for task, n in SIZES.items()}
ALL = (ProportionalSampling(), TemperedSampling(), AnnealedSampling(), RoundRobin(), JointSteps())
N_DRAWN = 4000


def recipe(sampling, batch=8, epochs=4, n_steps=None):
    return tiny_recipe(batch=batch, epochs=epochs, tasks=TasksSpec(sampling=sampling, steps_per_epoch=n_steps))


def drawn(sampling, epoch=0):
    steps = steps_of_epoch(recipe(sampling, n_steps=N_DRAWN), ORDERS, 5, epoch)
    tasks = [task for ((task, _),) in steps]
    return [tasks.count(task) for task in SIZES]


def expected_counts(alpha):
    sizes = [size**alpha for size in SIZES.values()]
    return [N_DRAWN * size / sum(sizes) for size in sizes]


@pytest.mark.parametrize(
    ("sampling", "epoch", "alpha"),
    [
        (ProportionalSampling(), 0, 1.0),
        (TemperedSampling(), 2, 0.5),
        (TemperedSampling(power=0), 0, 0.0),
        *((AnnealedSampling(), epoch, 1 - 0.8 * epoch / 3) for epoch in range(4)),
    ],
)
def test_tasks_are_drawn_with_their_probabilities(sampling, epoch, alpha):
    counts = drawn(sampling, epoch)
    assert chisquare(counts, expected_counts(alpha)).pvalue > 1e-3
    other = 0.5 if alpha > 0.7 else 1.0
    assert chisquare(counts, expected_counts(other)).pvalue < 1e-6  # the same test rejects other probabilities


def test_round_robin_takes_turns_and_joint_steps_take_all():
    turns = [[task for task, _ in step] for step in steps_of_epoch(recipe(RoundRobin()), ORDERS, 1, 0)]
    assert turns == [[task] for task in itertools.islice(itertools.cycle(SIZES), len(turns))]
    for step in steps_of_epoch(recipe(JointSteps()), ORDERS, 1, 0):
        assert [task for task, _ in step] == list(SIZES)


@pytest.mark.parametrize("sampling", ALL, ids=lambda sampling: sampling.kind)
@given(n=st.integers(1, 40), batch=st.integers(1, 12), seed=st.integers(0, 99), epoch=st.integers(0, 3))
def test_a_single_task_has_the_batches_of_a_plain_fit(sampling, n, batch, seed, epoch):
    steps = list(steps_of_epoch(recipe(sampling, batch), {"only": ShuffledOrder(n)}, seed, epoch))
    assert steps == [[("only", rows)] for rows in shuffled_batches(n, batch, seed, epoch)]
    assert len(steps) == n_steps_per_epoch(recipe(sampling, batch), {"only": n})


@pytest.mark.parametrize("sampling", ALL, ids=lambda sampling: sampling.kind)
def test_a_task_sees_every_text_before_one_comes_again(sampling):
    long_epoch = recipe(sampling, n_steps=300)
    seen = {task: [] for task in SIZES}
    for step in steps_of_epoch(long_epoch, ORDERS, 2, 1):
        for task, rows in step:
            seen[task] += rows
    for task, n in SIZES.items():
        passes = [seen[task][start : start + n] for start in range(0, len(seen[task]), n)]
        assert all(sorted(one) == list(range(n)) for one in passes[:-1])
        assert len(set(passes[-1])) == len(passes[-1])
    small = [tuple(seen["small"][start : start + 25]) for start in range(0, 75, 25)]
    assert len(set(small)) == 3  # each pass is shuffled anew


@pytest.mark.parametrize("sampling", ALL, ids=lambda sampling: sampling.kind)
def test_the_steps_of_an_epoch_depend_on_seed_and_epoch_only(sampling):
    def epoch(seed, number):
        return list(steps_of_epoch(recipe(sampling), ORDERS, seed, number))

    assert epoch(1, 2) == epoch(1, 2)
    assert epoch(1, 2) != epoch(1, 1)
    assert epoch(1, 2) != epoch(2, 2)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 5), st.integers(1, 12), st.integers(1, 6))
def test_the_length_of_an_epoch_does_not_change_the_order_of_the_texts(n, batch, seed, n_steps, n_epochs):
    def stream(recipe, epochs):
        order = {"only": ShuffledOrder(n)}
        return [step for epoch in range(epochs) for step in steps_of_epoch(recipe, order, seed, epoch)]

    cut = tiny_recipe(batch=batch, steps_per_epoch=n_steps)
    n_passes = -(-n_steps * n_epochs // -(-n // batch))
    assert stream(cut, n_epochs) == stream(tiny_recipe(batch=batch), n_passes)[: n_steps * n_epochs]
    assert n_steps_per_epoch(cut, {"only": n}) == n_steps


def test_steps_per_epoch_of_several_tasks_is_that_of_tasks_in_a_newer_place():
    older, newer = tiny_recipe(tasks=TasksSpec(steps_per_epoch=7)), tiny_recipe(tasks=TasksSpec(), steps_per_epoch=7)
    assert list(steps_of_epoch(older, ORDERS, 3, 1)) == list(steps_of_epoch(newer, ORDERS, 3, 1))
    with pytest.raises(ValidationError, match=r"tasks\.steps_per_epoch must be absent"):
        tiny_recipe(tasks=TasksSpec(steps_per_epoch=7), steps_per_epoch=7)


def test_an_epoch_has_as_many_batches_as_the_tasks_have():
    n_batches = 113 + 13 + 4
    for sampling in ALL[:-1]:
        assert n_steps_per_epoch(recipe(sampling), SIZES) == n_batches
    assert n_steps_per_epoch(recipe(JointSteps()), SIZES) == -(-n_batches // 3)
    assert n_steps_per_epoch(recipe(RoundRobin(), n_steps=7), SIZES) == 7
    assert len(list(steps_of_epoch(recipe(RoundRobin(), n_steps=7), ORDERS, 1, 0))) == 7
