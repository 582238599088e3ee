"""Several tasks in one fit: the gradient of each step, and that a single task is a plain fit."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.encoder.heads import with_task_heads
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.metrics import sample_metric
from finetune_alf.rates import HEAD, FrozenBelow, UniformRates, task_head
from finetune_alf.recipe import SGD, AdamW, GradualUnfreezing, HeadsSpec, ImmediateUnfreezing, TasksSpec
from finetune_alf.recipe.task_plans import HeadShape
from finetune_alf.recipe.tasks import JointSteps, RoundRobin
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.padded import padded
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.objective import OBJECTIVES
from finetune_alf.train.parts import TaskSplits
from tiny import BAD, GOOD, TINY_BERT, save_tiny, tiny_recipe, tiny_spec

PLAIN_HEADS = HeadsSpec(n_common_layers=0, dropout=None)
TEXTS = tuple(text for pair in zip(GOOD, BAD, strict=True) for text in pair)
OTHERS = tuple(reversed(TEXTS))
LABELS = {
    "cross_entropy": [0, 1, 2, 0, 1, 2, 0, 1],
    "binary_cross_entropy": [1, 0, 0, 1, 0, 1, 1, 0],
    "squared_error": [0.5, 3.0, 1.5, 2.0, 4.5, 0.0, 2.5, 1.0],
}
SHAPES = {"mood": HeadShape(3, 2), "same": HeadShape(1, 1, 2), "similarity": HeadShape(1, 3)}
ELECTRA = {**TINY_BERT, "model_type": "electra", "embedding_size": 8}


def split(encoder, loss, texts, n_texts_per_row=1):
    objective = OBJECTIVES[loss]
    rows = texts if n_texts_per_row == 1 else [part for which in zip(*texts, strict=True) for part in which]
    table = TokenTable.of(encoder.tokenize(rows, 12), torch.device("cpu"))
    return TokenizedSplit(table, torch.tensor(LABELS[loss], dtype=objective.label_dtype), objective, n_texts_per_row)


def three_tasks(encoder, weights=(1.0, 1.0, 1.0)):
    pairs = tuple(zip(TEXTS, OTHERS, strict=True))
    splits = {
        "mood": split(encoder, "cross_entropy", TEXTS),
        "same": split(encoder, "binary_cross_entropy", pairs, n_texts_per_row=2),
        "similarity": split(encoder, "squared_error", pairs),
    }
    metrics = (sample_metric("accuracy", 3), sample_metric("f1", 2), sample_metric("pearson", 0))
    return {
        task: TaskSplits(own, own, own, metric, weight)
        for (task, own), metric, weight in zip(splits.items(), metrics, weights, strict=True)
    }


def headed(dropout=0.0, heads=None, shapes=SHAPES, config=None):
    spec = RandomEncoder(kind="random", config={**config, "hidden_dropout_prob": dropout}, seed=1) if config else None
    return with_task_heads(load_encoder(spec or tiny_spec(dropout), 1), shapes, heads or HeadsSpec(dropout=None))


def weights(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


@pytest.mark.parametrize("config", [None, {**ELECTRA, "attention_probs_dropout_prob": 0.0}], ids=["bert", "electra"])
@pytest.mark.parametrize("micro_batch", [None, 3])
@pytest.mark.parametrize("rates", [UniformRates(rate=1.0), FrozenBelow(n_frozen=2, rate=1.0)], ids=["open", "frozen"])
def test_the_gradient_of_a_joint_step_is_the_weighted_sum_of_the_tasks_gradients(rates, micro_batch, config):
    encoder = headed(heads=HeadsSpec(n_common_layers=1, dropout=0, activation="tanh"), config=config)
    encoder.model.double()
    loss_weights = {"mood": 0.7, "same": 2.0, "similarity": 1.3}
    tasks = three_tasks(encoder, tuple(loss_weights.values()))
    joint = TasksSpec(sampling=JointSteps(), steps_per_epoch=1)
    # SGD at a rate of 1 without clipping: a step subtracts the gradient
    recipe = tiny_recipe(rates=rates, epochs=1, batch=8, optimizer=SGD(), clip=None, tasks=joint)
    encoder.reset(child_seed(5, "head"))
    before = weights(encoder)
    expected = {name: torch.zeros_like(w) for name, w in before.items()}
    for task, texts in tasks.items():
        for name, gradient in gradient_of(encoder, task, texts.train).items():
            expected[name] += loss_weights[task] * gradient
    fit(encoder, tasks, recipe, seed=5, micro_batch=micro_batch)
    rates_of = encoder.anatomy.rates(recipe.rates.at(encoder.n_layers))
    for address, names in encoder.anatomy.parameters.items():
        for name in names:
            step = before[name] - encoder.model.get_parameter(name).detach()
            expected_step = expected[name] if rates_of[address] else torch.zeros_like(step)
            torch.testing.assert_close(step, expected_step, rtol=1e-12, atol=1e-12)


def gradient_of(encoder, task, texts):
    """One task's gradient by transformers' own forward pass and torch's own losses."""
    heads = next(module for module in encoder.model.modules() if type(module).__name__ == "TaskHeads")
    heads.task = task
    encoder.model.zero_grad()
    outputs = encoder.model(**padded(texts.table, range(len(texts.table)))).logits
    labels = texts.labels
    loss = {
        "mood": lambda: F.cross_entropy(outputs, labels),
        "same": lambda: F.binary_cross_entropy_with_logits(outputs[:, 0], labels.double()),
        "similarity": lambda: F.mse_loss(outputs[:, 0], labels.double()),
    }[task]()
    loss.backward()
    found = {name: p.grad.clone() for name, p in encoder.model.named_parameters() if p.grad is not None}
    encoder.model.zero_grad()
    return found


@pytest.mark.parametrize("unfreezing", [None, GradualUnfreezing()], ids=["immediate", "gradual"])
@pytest.mark.parametrize(
    "spec", [tiny_spec(0.1), RandomEncoder(kind="random", config=ELECTRA, seed=1)], ids=["bert", "electra"]
)
def test_one_task_alone_equals_the_plain_fit_bit_for_bit(spec, unfreezing):
    changes = {
        "keep": "best",
        "optimizer": AdamW(weight_decay=0.01),
        **({"unfreezing": unfreezing} if unfreezing else {}),
    }
    plain = load_encoder(spec, 3)
    tasks = {"mood": TaskSplits(*[split(plain, "cross_entropy", TEXTS)] * 3)}
    result = fit(plain, tasks, tiny_recipe(**changes), seed=4)
    for sampling in (JointSteps(), RoundRobin()):
        alone = with_task_heads(load_encoder(spec, 1), {"mood": HeadShape(3)}, PLAIN_HEADS)
        recipe = tiny_recipe(**changes, tasks=TasksSpec(heads=PLAIN_HEADS, sampling=sampling))
        other_result = fit(alone, tasks, recipe, seed=4)
        own = {"seconds", "started_ms", "tasks"}
        assert other_result.model_dump(exclude=own | {"epochs"}) == result.model_dump(exclude=own | {"epochs"})
        times = {"seconds", "ended_ms", "tasks"}
        assert [e.model_dump(exclude=times) for e in other_result.epochs] == [
            e.model_dump(exclude=times) for e in result.epochs
        ]
        assert other_result.tasks["mood"].predictions == result.predictions
        pairs = zip(plain.model.parameters(), alone.model.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)


def test_another_head_is_another_fit():
    encoder = load_encoder(tiny_spec(0.1), 3)
    tasks = {"mood": TaskSplits(*[split(encoder, "cross_entropy", TEXTS)] * 3)}
    curves = set()
    for heads in (PLAIN_HEADS, HeadsSpec(n_common_layers=1, dropout=None), HeadsSpec(n_common_layers=0, dropout=0.5)):
        result = fit(
            with_task_heads(encoder, {"mood": HeadShape(3)}, heads),
            tasks,
            tiny_recipe(tasks=TasksSpec(heads=heads)),
            seed=4,
        )
        curves.add(tuple(record.train_loss for record in result.epochs))
    assert len(curves) == 3


def test_three_tasks_are_trained_in_one_fit():
    encoder = headed(0.1)
    recipe = tiny_recipe(epochs=40, batch=8, keep="best", tasks=TasksSpec(sampling=RoundRobin()))
    result = fit(encoder, three_tasks(encoder), recipe, seed=2)
    assert result.epochs[-1].train_loss < 0.5 * result.epochs[0].train_loss
    assert result.tasks["same"].metric == "f1"
    assert result.tasks["similarity"].score > 0.8
    assert all(isinstance(score, float) for score in result.tasks["similarity"].predictions)
    expected = recipe.tasks.overall_score(
        {task: one.score for task, one in result.tasks.items()},
        {task: one.metric for task, one in result.tasks.items()},
    )
    assert result.score == expected == max(record.validation_score for record in result.epochs)
    assert result.predictions == ()
    assert result.accuracy is None


def test_scores_from_frozen_features_are_those_from_the_tokens():
    encoder = headed()
    tasks = three_tasks(encoder)
    recipe = tiny_recipe(rates=FrozenBelow(n_frozen="all", rate=0.0, head=1e-2), tasks=TasksSpec(), keep="last")
    result = fit(encoder, tasks, recipe, seed=2)
    encoder.model.eval()
    heads = next(module for module in encoder.model.modules() if type(module).__name__ == "TaskHeads")
    for task, texts in tasks.items():
        heads.task = task
        with torch.no_grad():
            outputs = encoder.model(**padded(texts.train.table, range(len(texts.train.table)))).logits
        predictions = texts.train.objective.predict(outputs).tolist()
        assert result.tasks[task].predictions == pytest.approx(predictions, abs=1e-5)


@pytest.mark.parametrize("unfreezing", [ImmediateUnfreezing(), GradualUnfreezing(start="head")])
def test_a_frozen_pooler_may_leave_the_common_head_without_weights(tmp_path, unfreezing):
    heads = TasksSpec(heads=PLAIN_HEADS)
    encoder = with_task_heads(load_encoder(save_tiny(tmp_path), 1), SHAPES, PLAIN_HEADS)
    assert encoder.with_pooler("frozen").anatomy.parameters[HEAD] == ()
    mood, similarity = split(encoder, "cross_entropy", TEXTS), split(encoder, "squared_error", TEXTS)
    tasks = {
        "mood": TaskSplits(mood, mood, mood, sample_metric("accuracy", 3)),
        "similarity": TaskSplits(similarity, similarity, similarity, sample_metric("pearson", 0)),
    }
    result = fit(encoder, tasks, tiny_recipe(tasks=heads, pooler="frozen", unfreezing=unfreezing), seed=1)
    assert result.stopped == "epochs"
    assert HEAD not in result.movement
    assert result.movement[task_head("mood")] > 0
