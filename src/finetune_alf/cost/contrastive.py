"""The cost of a contrastive fit: that of a fit on the texts of all pairs, and of evaluating the training texts too."""

from dataclasses import replace

from finetune_alf.cost.memory import Memory, fit_memory
from finetune_alf.cost.shape import EncoderShape, Engine, FitLengths
from finetune_alf.cost.work import Work, evaluation_work, fit_work
from finetune_alf.recipe import Contrastive, Recipe


def contrastive_work(
    shape: EncoderShape, lengths: FitLengths, recipe: Recipe, objective: Contrastive, engine: Engine
) -> Work:
    """Return the work of a whole fit without early stopping; the logistic regressions are not counted."""
    total = fit_work(shape, *_on_pairs(lengths, recipe, objective, engine))
    own = replace(engine, pooling=recipe.pooling)
    batch = engine.micro_batch or engine.evaluation_batch
    for _ in range(recipe.epochs + (lengths.scored is not None)):
        total += evaluation_work(shape, lengths.train, own, batch)
    return total


def contrastive_memory(
    shape: EncoderShape, lengths: FitLengths, recipe: Recipe, objective: Contrastive, engine: Engine
) -> Memory:
    """Return the peak memory of a fit."""
    return fit_memory(shape, *_on_pairs(lengths, recipe, objective, engine))


def _on_pairs(
    lengths: FitLengths, recipe: Recipe, objective: Contrastive, engine: Engine
) -> tuple[FitLengths, Recipe, Engine]:
    """Return a fit on single texts that has as many: each is in two pairs for every one that it is the first of."""
    texts = replace(lengths, train=lengths.train * (2 * objective.n_pairs))
    alone = recipe.model_copy(update={"objective": None, "batch": 2 * recipe.batch})
    return texts, alone, replace(engine, micro_batch=engine.micro_batch and 2 * engine.micro_batch)
