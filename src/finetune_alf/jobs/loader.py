"""What fits start from: encoders, samples and their tokenised splits, each loaded once in a process."""

from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from finetune_alf.data.mixture import AnySample, load_any_sample, task_infos
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.adapters.inject import with_adapter
from finetune_alf.encoder.heads import with_task_heads
from finetune_alf.encoder.load import Encoder, load_encoder
from finetune_alf.encoder.spec import AnyEncoder
from finetune_alf.encoder.text_heads import head_of
from finetune_alf.errors import DataError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.splits import tokenized_split, training_split
from finetune_alf.recipe import Adapter, ProbeRecipe, Recipe, TfidfRecipe
from finetune_alf.recipe.task_plans import TaskPlan, task_plans
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.parts import TaskSplits


class FitLoader:
    """Loads what jobs need onto one device; `folders` maps each sample's digest to its folder."""

    def __init__(self, folders: Mapping[str, Path], device: str) -> None:
        self._folders, self._device = folders, device
        self._samples: dict[str, AnySample] = {}
        self._encoders: dict[Hashable, Encoder] = {}
        self._splits: dict[Hashable, TokenizedSplit] = {}
        self.features: dict[Hashable, NDArray[np.float32]] = {}  # of probes, (n, H)

    def load(self, job: FitJob) -> tuple[Encoder, dict[str, TaskSplits]]:
        """Return the encoder and the tokenised splits of each task, for a job that fine-tunes or probes an encoder."""
        sample, recipe = self.sample(job.sample), job.recipe
        if isinstance(recipe, TfidfRecipe):
            raise TypeError(f"{job.key} has no tokens: {recipe}")
        plans = task_plans(recipe, task_infos(sample), job.metric)
        encoder = self._with_heads(job.encoder, recipe, plans)

        def splits(task: str, plan: TaskPlan) -> TaskSplits:
            train, validation, scored = (
                self._tokenized(encoder, sample.tasks[task], split, recipe, plan)
                for split in ("train", "validation", job.score_on)
            )
            return TaskSplits(training_split(train, recipe, plan), validation, scored, plan.metric, plan.weight)

        return encoder, {task: splits(task, plan) for task, plan in plans.items()}

    def sample(self, digest: str) -> AnySample:
        """Return the sample or mixture of this digest; DataError when its folder is unknown, or has another one."""
        if digest not in self._samples:
            if digest not in self._folders:
                raise DataError(f"sample {digest[:8]}: no folder is known for it.")
            found = load_any_sample(self._folders[digest])
            if found.card.digest != digest:
                raise DataError(
                    f"sample {found.name}: must have the digest {digest}, but got {found.card.digest}: it was drawn "
                    "again after the stage began. Run the stage again."
                )
            self._samples[digest] = found
        return self._samples[digest]

    def encoder(self, spec: AnyEncoder, n_labels: int, adapter: Adapter | None = None) -> Encoder:
        """Return the encoder with a head of this many outputs: one a class, or one for a score.

        With an adapter it is another encoder in memory, beside the one without.
        """
        key = (spec.model_dump_json(), n_labels, adapter)
        if key not in self._encoders:
            self._encoders[key] = (
                load_encoder(spec, n_labels, self._device)
                if adapter is None
                else with_adapter(self.encoder(spec, n_labels), adapter)
            )
        return self._encoders[key]

    def encoder_for(self, spec: AnyEncoder, recipe: Recipe, sample: AnySample, metric: str = "accuracy") -> Encoder:
        """Return the encoder that a recipe fine-tunes on a sample: with its adapter, and a head for each task.

        Raises EncoderError where the recipe does not suit it.
        """
        encoder = self._with_heads(spec, recipe, task_plans(recipe, task_infos(sample), metric))
        if recipe.pooling == "mean":
            head_of(encoder.model)
        return encoder

    def _with_heads(self, spec: AnyEncoder, recipe: Recipe | ProbeRecipe, plans: Mapping[str, TaskPlan]) -> Encoder:
        if isinstance(recipe, ProbeRecipe) or recipe.tasks is None:
            (plan,) = plans.values()
            return self.encoder(spec, plan.shape.n_outputs, None if isinstance(recipe, ProbeRecipe) else recipe.adapter)
        shapes = {task: plan.shape for task, plan in plans.items()}
        key = (spec.model_dump_json(), recipe.adapter, recipe.tasks.heads, *shapes.items())
        if key not in self._encoders:
            bare = self.encoder(spec, next(iter(shapes.values())).n_outputs, recipe.adapter)
            self._encoders[key] = with_task_heads(bare, shapes, recipe.tasks.heads)
        return self._encoders[key]

    def _tokenized(
        self, encoder: Encoder, sample: Sample, split: str, recipe: Recipe | ProbeRecipe, plan: TaskPlan
    ) -> TokenizedSplit:
        cut = (recipe.max_tokens, recipe.truncation)
        key = (encoder.identity, sample.card.digest, *cut, split, plan.loss, plan.shape.n_texts_per_row)
        if key not in self._splits:
            device = torch.device(self._device)
            self._splits[key] = tokenized_split(encoder, sample, split, recipe, plan, device)
        return self._splits[key]
