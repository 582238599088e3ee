"""A sample as a fit takes it: tokenised splits, with the objective and the metric of each task."""

import torch

from finetune_alf.data.mixture import AnySample, task_infos
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.errors import EncoderError
from finetune_alf.jobs.job import ScoredSplit
from finetune_alf.recipe import ProbeRecipe, Recipe
from finetune_alf.recipe.task_plans import TaskPlan, task_plans
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.objective import OBJECTIVES
from finetune_alf.train.parts import TaskSplits


def task_splits(
    encoder: Encoder,
    sample: AnySample,
    recipe: Recipe,
    *,
    score_on: ScoredSplit = "validation",
    metric: str = "accuracy",
) -> dict[str, TaskSplits]:
    """Return what `fit` takes beside encoder and recipe: each task's splits, tokenised, on the encoder's device.

    Epochs are scored on the validation split, the fit on `score_on`. Raises EncoderError where the encoder's head has
    not as many outputs as the sample has classes, and DataError for a split without rows.
    """
    plans = task_plans(recipe, task_infos(sample), metric)
    if recipe.tasks is None:
        (plan,) = plans.values()
        _check_head(encoder, sample, plan)
    device = next(encoder.model.parameters()).device
    found: dict[str, TaskSplits] = {}
    for task, plan in plans.items():
        splits = {
            split: tokenized_split(encoder, sample.tasks[task], split, recipe, plan, device)
            for split in dict.fromkeys(("train", "validation", score_on))
        }
        train = training_split(splits["train"], recipe, plan)
        found[task] = TaskSplits(train, splits["validation"], splits[score_on], plan.metric, plan.weight)
    return found


def training_split(split: TokenizedSplit, recipe: Recipe | ProbeRecipe, plan: TaskPlan) -> TokenizedSplit:
    """Return a split as a fit trains on it: with the weights of its classes, or their balanced sampling."""
    return split.with_classes(plan.class_weights, recipe.class_sampling if isinstance(recipe, Recipe) else "natural")


def tokenized_split(
    encoder: Encoder, sample: Sample, split: str, recipe: Recipe | ProbeRecipe, plan: TaskPlan, device: torch.device
) -> TokenizedSplit:
    """Return a split's texts as tokens and its labels as the task's objective takes them."""
    objective, n_texts_per_row = OBJECTIVES[plan.loss], plan.shape.n_texts_per_row
    rows = sample.nonempty_split(split)
    texts = (
        rows.texts if n_texts_per_row == 1 else [part[index] for index in range(n_texts_per_row) for part in rows.texts]
    )
    table = TokenTable.of(encoder.tokenize(texts, recipe.max_tokens, recipe.truncation), device)
    labels = objective.labels_tensor(rows.labels, plan.shape.n_outputs, device)
    return TokenizedSplit(table, labels, objective, n_texts_per_row)


def _check_head(encoder: Encoder, sample: AnySample, plan: TaskPlan) -> None:
    n_outputs, wanted = int(encoder.model.config.num_labels), plan.shape.n_outputs
    if n_outputs != wanted:
        raise EncoderError(
            f"{encoder.identity}: must have a head of {wanted} outputs for the sample {sample.name}, but has "
            f"{n_outputs}. Load it with load_encoder(spec, {wanted})."
        )
