"""What the fits of a stage need: an encoder and samples, loaded and checked, and the runner that fits them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune_alf.data.mixture import AnySample, load_any_sample
from finetune_alf.data.sample import Card, Sample, load_sample
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.encoder.load import Encoder
from finetune_alf.encoder.locate import resolve_folder
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import InputError
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.running.context import Context
from finetune_alf.study.spec import StudySpec


@dataclass(frozen=True)
class Bench:
    """What the fits of one study on one sample, or mixture, need."""

    study: StudySpec
    sample: AnySample
    encoder_spec: EncoderSpec
    encoder: Encoder
    fit_runner: FitRunner

    @property
    def only(self) -> Sample:
        """The sample, where it is of one task; InputError for a mixture."""
        if isinstance(self.sample, Sample):
            return self.sample
        raise InputError(
            f"{self.sample.name}: must be of one task for this, but is a mixture of {', '.join(self.sample.tasks)}. "
            "Name another sample."
        )

    @property
    def encoder_identity(self) -> EncoderIdentity:
        """Which encoder it is, for documents."""
        return encoder_identity_of(self.study.encoder, self.encoder)

    @property
    def sample_identity(self) -> SampleIdentity:
        """Which sample it is, for documents."""
        card = self.sample.card
        return SampleIdentity(name=self.sample.name, digest=card.digest, counts=card.counts)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of every run: encoder and sample."""
        return fit_tags(self.encoder.identity, self.sample)


def open_bench(ctx: Context, study: str, sample: str | None = None) -> Bench:
    """Load a study's encoder and its own sample, or another one.

    Raises DataError, naming the stage to run, when the sample is not there, and EncoderError for the encoder.
    """
    spec = ctx.study(study)
    folder = ctx.paths.sample(sample or spec.sample)
    loaded = load_any_sample(folder)
    encoder_spec = encoder_spec_of(ctx, spec.encoder)
    fit_runner = fit_runner_of(ctx, {loaded.card.digest: folder})
    encoder = fit_runner.loader.encoder_for(encoder_spec, spec.recipe, loaded, spec.metric)
    return Bench(spec, loaded, encoder_spec, encoder, fit_runner)


@dataclass(frozen=True)
class SamplesBench:
    """What fits on several samples need; `encoder` has a head for the first one."""

    encoder_name: str
    samples: Mapping[str, Sample]
    encoder_spec: EncoderSpec
    encoder: Encoder
    fit_runner: FitRunner

    @property
    def n_outputs(self) -> int:
        """The outputs of that head."""
        return n_outputs(next(iter(self.samples.values())).card)

    @property
    def encoder_identity(self) -> EncoderIdentity:
        """Which encoder it is, for documents."""
        return encoder_identity_of(self.encoder_name, self.encoder)

    def tags(self, sample: str) -> dict[str, str]:
        """Return the tags of every run on a sample: encoder and sample."""
        return fit_tags(self.encoder.identity, self.samples[sample])


def open_samples(ctx: Context, encoder: str, samples: Sequence[str]) -> SamplesBench:
    """Load samples of one task each, and an encoder with a head for the first one.

    Raises DataError, naming the stage to run, when a sample is not there, and EncoderError for the encoder.
    """
    loaded = {name: load_sample(ctx.paths.sample(name)) for name in samples}
    return samples_bench(
        ctx, encoder, loaded, {sample.card.digest: ctx.paths.sample(name) for name, sample in loaded.items()}
    )


def samples_bench(
    ctx: Context, encoder: str, samples: Mapping[str, Sample], folders: Mapping[str, Path]
) -> SamplesBench:
    """Return what fits need on loaded samples, or on draws from them, whose `folders` are by digest."""
    fit_runner, spec = fit_runner_of(ctx, folders), encoder_spec_of(ctx, encoder)
    first = next(iter(samples.values()))
    loaded = fit_runner.loader.encoder(spec, n_outputs(first.card))
    return SamplesBench(encoder, samples, spec, loaded, fit_runner)


def fit_tags(encoder: str, sample: AnySample) -> dict[str, str]:
    """Return the tags that the run of a fit has in every stage; `encoder` is the identity of one."""
    return identity_tags(encoder, sample.name, sample.card.digest)


def identity_tags(encoder: str, sample: str, sample_digest: str) -> dict[str, str]:
    """Return the `fit_tags` for the identity of an encoder, and the name and digest of a sample."""
    return {"alf.encoder": encoder, "alf.sample": sample, "alf.sample.digest": sample_digest}


def encoder_identity_of(name: str, encoder: Encoder) -> EncoderIdentity:
    """Return which encoder it is, for documents."""
    return EncoderIdentity(name=name, identity=encoder.identity, n_layers=encoder.n_layers)


def n_outputs(card: Card) -> int:
    """Return how many outputs a head has for a sample: one a class, or one for a score."""
    return len(card.label_names) or 1


def fit_runner_of(ctx: Context, folders: Mapping[str, Path]) -> FitRunner:
    """Return a runner as params.yaml says; `folders` are those of its samples, by digest."""
    return FitRunner(folders, ctx.compute)


def encoder_spec_of(ctx: Context, name: str) -> EncoderSpec:
    """Return the encoder of this name, with its folder relative to the root."""
    return resolve_folder(ctx.paths.root, ctx.encoder(name))
