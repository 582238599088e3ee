"""The second fit of `train_on: all`: as many passes as the first one was scored after, over all labelled texts."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from finetune_alf.data.all_texts import with_all_texts
from finetune_alf.data.sample import Sample, save_sample
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import InputError
from finetune_alf.recipe import AnyRecipe, Recipe
from finetune_alf.running.bench import Bench, fit_runner_of
from finetune_alf.running.context import Context
from finetune_alf.train.result import FitResult


def all_texts(ctx: Context, sample: Sample) -> Sample:
    """Return a study's sample with all labelled texts of its source for training, but the test texts."""
    spec = ctx.sample(sample.name)
    if not isinstance(spec, SampleSpec):
        raise InputError(f"{sample.name}: must be of one task for this, but is a mixture. Name another sample.")
    return with_all_texts(sample, spec, ctx.paths.root)


@contextmanager
def bench_on_all(ctx: Context, bench: Bench, name: str) -> Iterator[Bench]:
    """Yield a bench whose sample has all texts for training; they are on disk as long as the block runs."""
    sample, folder = all_texts(ctx, bench.only), ctx.paths.studies / f"fit-{name}.texts"
    save_sample(folder, sample)
    try:
        folders = {**bench.fit_runner.folders, sample.card.digest: folder}
        yield replace(bench, sample=sample, fit_runner=fit_runner_of(ctx, folders))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def recipe_on_all(recipe: AnyRecipe, first: FitResult, n_first: int, n_all: int) -> AnyRecipe:
    """Return the recipe of the fit on `n_all` texts that follows one on `n_first`, which are among them.

    The validation texts are trained on and cannot choose the epoch: it is the one whose weights the first fit kept.
    """
    if not isinstance(recipe, Recipe) or first.kept_epoch is None:
        return recipe
    n_steps = recipe.steps_per_epoch and round(recipe.steps_per_epoch * n_all / n_first)
    same = {"epochs": first.kept_epoch + 1, "keep": "last", "early_stopping": None, "steps_per_epoch": n_steps}
    return recipe.model_copy(update=same)
