"""One adaptation, from a checkpoint and texts to the folder of the adapted encoder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from finetune_alf.checksums import digest
from finetune_alf.clock import Stopwatch
from finetune_alf.compute import Environment, Precision
from finetune_alf.encoder.checkpoint import WEIGHTS_FILE
from finetune_alf.encoder.fp32_types import computed_precision
from finetune_alf.encoder.masked_lm import MaskedLanguageModel, load_masked_lm
from finetune_alf.encoder.save import save_body
from finetune_alf.encoder.spec import ADAPT_RECORD, EncoderSpec
from finetune_alf.experiments.adapt.forward import mlm_forward_of
from finetune_alf.experiments.adapt.masking import MaskingRule
from finetune_alf.experiments.adapt.pieces import Pieces
from finetune_alf.experiments.adapt.record import NEW_HEAD_NOTE, AdaptRecord, HeadWarmUp, Losses, LossPoint, TextCounts
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.adapt.texts import AdaptTexts
from finetune_alf.experiments.adapt.train import OnPoint, Phase, check_finite, held_out_loss, train
from finetune_alf.files import file_digest
from finetune_alf.folders import replace_folder
from finetune_alf.identity import identity_of
from finetune_alf.json_files import write_json
from finetune_alf.seeds import child_seed


def inputs_digest_of(spec: AdaptSpec, encoder_identity: str, texts: AdaptTexts, precision: Precision) -> str:
    """Return the digest of everything that the adapted weights depend on, except for the machine's rounding."""
    inputs = {"training": spec.training(), "encoder": encoder_identity, "texts": texts.digest, "precision": precision}
    return digest(identity_of(inputs))


class FurtherPretraining:
    """An adaptation with its model loaded and its texts tokenized."""

    def __init__(self, name: str, spec: AdaptSpec, encoder: EncoderSpec, texts: AdaptTexts, environment: Environment):
        """Load the encoder and tokenize the texts; raises EncoderError if it cannot be trained on them."""
        self._name, self._spec, self._texts, self._environment = name, spec, texts, environment
        self._masked_lm = load_masked_lm(encoder, child_seed(spec.seed, "mlm head"), environment.device)
        self._forward = mlm_forward_of(self._masked_lm, child_seed(spec.seed, "dropout"))
        self._train, self._held_out = (
            Pieces.of(self._masked_lm.pieces(each, spec.max_tokens)) for each in (texts.train, texts.held_out)
        )
        self._rule = MaskingRule.of(self._masked_lm, spec.mask_frac, spec.whole_words)
        self._precision = environment.precision
        self._phase, self._warm_up = self._phases()

    @property
    def n_points(self) -> int:
        """How many points of the loss will be logged."""
        return len(self._phase.logging_steps) + (len(self._warm_up.logging_steps) if self._warm_up else 0)

    def run(self, folder: Path, on_point: OnPoint) -> AdaptRecord:
        """Train, and write the adapted encoder with its record, whole or not at all.

        Raises ParamsError if training diverges; the folder then stays as it was.
        """
        stopwatch = Stopwatch()
        with _seeded(child_seed(self._spec.seed, "dropout"), self._masked_lm.device):
            warm_up = self._train_head(self._warm_up, on_point) if self._warm_up else None
            before = warm_up.losses.after if warm_up else self._loss()
            points = train(self._forward, self._train, self._rule, self._phase, self._precision, on_point)
            after = check_finite(self._loss(), self._phase, "on held-out texts")
        with replace_folder(folder) as temporary:
            save_body(self._masked_lm, temporary)
            record = self._record(warm_up, Losses(before=before, after=after), points, stopwatch, temporary)
            write_json(temporary / ADAPT_RECORD, record.model_dump(mode="json"))
        return record

    def _phases(self) -> tuple[Phase, Phase | None]:
        """Return the phase that trains all weights, and before it that of a new head."""
        spec, key = self._spec, f"adapt.{self._name}"
        n_steps, seed = spec.n_steps_for(len(self._train)), child_seed(spec.seed, "adapt")
        phase = Phase(n_steps, spec.batch, spec.rate, spec.warmup_frac, seed, f"{key}.rate")
        if not self._masked_lm.newly_initialized:
            return phase, None
        head, seed = spec.warm_up_head, child_seed(spec.seed, "warm up")
        return phase, Phase(head.n_steps, spec.batch, head.rate, spec.warmup_frac, seed, f"{key}.warm_up_head.rate")

    def _train_head(self, phase: Phase, on_point: OnPoint) -> HeadWarmUp:
        """Train the head only, so that the noise of a new one does not reach the encoder."""
        before = self._loss()
        with _only_head_trainable(self._masked_lm):
            train(self._forward, self._train, self._rule, phase, self._precision, on_point)
        after = check_finite(self._loss(), phase, "on held-out texts")
        return HeadWarmUp(n_steps=phase.n_steps, rate=phase.rate, losses=Losses(before=before, after=after))

    def _loss(self) -> float:
        return held_out_loss(self._forward, self._held_out, self._rule, self._precision, self._spec.seed)

    def _record(
        self,
        warm_up: HeadWarmUp | None,
        losses: Losses,
        points: tuple[LossPoint, ...],
        stopwatch: Stopwatch,
        folder: Path,
    ) -> AdaptRecord:
        return AdaptRecord(
            name=self._name,
            inputs_digest=inputs_digest_of(self._spec, self._masked_lm.identity, self._texts, self._precision),
            encoder={"name": self._spec.encoder, "identity": self._masked_lm.identity},
            texts=TextCounts(
                source=self._texts.source,
                digest=self._texts.source_digest,
                n_texts=len(self._texts.train),
                n_pieces=len(self._train),
                n_tokens=len(self._train.input_ids),
                held_out_from=self._texts.held_out_from,
                n_held_out=len(self._texts.held_out),
                n_excluded=self._texts.n_excluded,
            ),
            training=self._spec.training(),
            warm_up=warm_up,
            note=NEW_HEAD_NOTE if warm_up else None,
            n_steps=self._phase.n_steps,
            losses=losses,
            loss_curve=points,
            seconds=stopwatch.seconds,
            started_ms=stopwatch.started_ms,
            environment=self._environment.model_copy(
                update={"precision": computed_precision(self._masked_lm.model, self._precision)}
            ),
            sha256=file_digest(folder / WEIGHTS_FILE),
        )


@contextmanager
def _only_head_trainable(masked_lm: MaskedLanguageModel) -> Iterator[None]:
    """Freeze everything but the head within a block."""
    masked_lm.model.requires_grad_(False)
    for parameter in masked_lm.head_parameters():
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        masked_lm.model.requires_grad_(True)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed dropout, which takes no generator, and restore torch's global state at the end."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
