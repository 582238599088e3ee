"""The workbench of a stage: a study's encoder and the samples it needs, loaded and checked."""

import os
from dataclasses import dataclass
from pathlib import Path

from finetune_alf.data.sample import Sample, load_sample
from finetune_alf.encoder.load import Encoder
from finetune_alf.encoder.spec import EncoderSpec, FolderEncoder
from finetune_alf.params.model import ComputeSpec
from finetune_alf.stages.context import Context
from finetune_alf.study.spec import StudySpec
from finetune_alf.train.job import Workbench


@dataclass(frozen=True)
class Bench:
    """What the fits of one study on one sample need."""

    study: StudySpec
    sample: Sample
    encoder_spec: EncoderSpec
    encoder: Encoder
    workbench: Workbench

    @property
    def tags(self) -> dict[str, str]:
        """What every run says of where it comes from."""
        return {
            "alf.encoder": self.encoder.identity,
            "alf.sample": self.sample.name,
            "alf.sample.digest": self.sample.card.digest,
        }


def open_bench(ctx: Context, study: str, sample: str | None = None) -> Bench:
    """Load a study's encoder and its own sample, or another one.

    Raises DataError, naming the stage to run, when the sample is not there, and EncoderError for the encoder.
    """
    spec = ctx.study(study)
    folder = ctx.paths.sample(sample or spec.sample)
    loaded = load_sample(folder)
    encoder_spec = _below(ctx.paths.root, ctx.params.encoders[spec.encoder])
    workbench = Workbench({loaded.card.digest: folder}, ctx.params.compute.device, threads_of(ctx.params.compute))
    encoder = workbench.encoder(encoder_spec, len(loaded.card.label_names))
    return Bench(spec, loaded, encoder_spec, encoder, workbench)


def threads_of(compute: ComputeSpec) -> int | None:
    """Return the threads of one worker: those named, or its share of the cores; None leaves one worker all of them."""
    if compute.n_threads or compute.n_workers == 1:
        return compute.n_threads
    return max(1, (os.cpu_count() or 1) // compute.n_workers)


def _below(root: Path, spec: EncoderSpec) -> EncoderSpec:
    """Take a folder's relative path from the root, not from wherever the command was called."""
    if isinstance(spec, FolderEncoder):
        return spec.model_copy(update={"path": str(root / spec.path)})
    return spec
