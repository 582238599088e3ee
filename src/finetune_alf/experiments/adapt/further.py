"""One adaptation, from a checkpoint and texts to the folder of another checkpoint."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from finetune_alf import __version__
from finetune_alf.encoder.masked_lm import MaskedLanguageModel, load_masked_lm
from finetune_alf.encoder.save import save_body
from finetune_alf.encoder.spec import ADAPT_RECORD, WEIGHTS_FILE, EncoderSpec
from finetune_alf.experiments.adapt.forward import masked_forward_of
from finetune_alf.experiments.adapt.learn import Phase, Point, Report, finite, held_out_loss, learn
from finetune_alf.experiments.adapt.masking import MaskLaw
from finetune_alf.experiments.adapt.pieces import Pieces
from finetune_alf.experiments.adapt.record import NO_GAIN, AdaptRecord, HeadRecord, LearnedTexts, Losses
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.adapt.texts import AdaptTexts
from finetune_alf.files import digest, file_digest, replace_folder, write_json
from finetune_alf.seeds import child_seed
from finetune_alf.train.precision import resolve_precision


def asked_digest(spec: AdaptSpec, encoder_identity: str, texts: AdaptTexts) -> str:
    """Return the digest of all that the adapted weights depend on, but for the machine's rounding."""
    return digest({"training": spec.training(), "encoder": encoder_identity, "texts": texts.digest})


class Further:
    """An adaptation that is ready to run: model and texts at hand, the number of its steps known."""

    def __init__(self, name: str, spec: AdaptSpec, encoder: EncoderSpec, texts: AdaptTexts, device: torch.device):
        """Load the encoder and tokenise the texts; raises EncoderError where one does not fit the other."""
        self._name, self._spec, self._texts = name, spec, texts
        self._masked_lm = load_masked_lm(encoder, child_seed(spec.seed, "mlm head"), str(device))
        self._forward = masked_forward_of(self._masked_lm, child_seed(spec.seed, "dropout"))
        self._learned, self._held_out = (
            Pieces.of(self._masked_lm.pieces(some, spec.max_tokens)) for some in (texts.learned, texts.held_out)
        )
        self._law = MaskLaw(
            spec.mask_frac,
            spec.whole_words,
            self._masked_lm.mask_token_id,
            torch.tensor(self._masked_lm.non_special_ids),
        )
        self._precision = resolve_precision(spec.precision, device)
        self._phase, self._warm_up = self._phases()

    @property
    def n_points(self) -> int:
        """How often the loss will be reported."""
        return len(self._phase.ends) + (len(self._warm_up.ends) if self._warm_up else 0)

    def run(self, folder: Path, report: Report) -> AdaptRecord:
        """Train, and put the adapted encoder in place with its record, whole or not at all.

        Raises ParamsError where training diverges; what was in the folder before stays then.
        """
        started = time.time()
        with _seeded(child_seed(self._spec.seed, "dropout"), self._masked_lm.device):
            warm_up = self._warm_up_head(report) if self._warm_up else None
            before = warm_up.losses.after if warm_up else self._loss()
            curve = learn(self._forward, self._learned, self._law, self._phase, self._precision, report)
            after = finite(self._loss(), self._phase, "on held-out texts")
        with replace_folder(folder) as temporary:
            save_body(self._masked_lm, temporary)
            record = self._record(warm_up, Losses(before=before, after=after), curve, started, temporary)
            write_json(temporary / ADAPT_RECORD, record.model_dump(mode="json"))
        return record

    def _phases(self) -> tuple[Phase, Phase | None]:
        spec = self._spec
        n_steps = spec.n_steps or (spec.epochs or 1) * math.ceil(len(self._learned) / spec.batch)
        where = f"adapt.{self._name}"
        phase = Phase(n_steps, spec.batch, spec.rate, spec.warmup_frac, child_seed(spec.seed, "adapt"), f"{where}.rate")
        if not self._masked_lm.newly_initialized:
            return phase, None
        head, seed = spec.warm_up_head, child_seed(spec.seed, "warm up")
        return phase, Phase(head.n_steps, spec.batch, head.rate, spec.warmup_frac, seed, f"{where}.warm_up_head.rate")

    def _warm_up_head(self, report: Report) -> HeadRecord:
        """Train the head alone, so that a fresh one's noise does not go down into the body."""
        assert self._warm_up is not None  # noqa: S101 - the caller's condition
        before = self._loss()
        with _head_alone(self._masked_lm):
            learn(self._forward, self._learned, self._law, self._warm_up, self._precision, report)
        after = finite(self._loss(), self._warm_up, "on held-out texts")
        return HeadRecord(
            n_steps=self._warm_up.n_steps, rate=self._warm_up.rate, losses=Losses(before=before, after=after)
        )

    def _loss(self) -> float:
        return held_out_loss(self._forward, self._held_out, self._law, self._precision, self._spec.seed)

    def _record(
        self, warm_up: HeadRecord | None, losses: Losses, curve: tuple[Point, ...], started: float, folder: Path
    ) -> AdaptRecord:
        return AdaptRecord(
            name=self._name,
            asked=asked_digest(self._spec, self._masked_lm.identity, self._texts),
            encoder={"name": self._spec.encoder, "identity": self._masked_lm.identity},
            texts=LearnedTexts(
                source=self._texts.source,
                digest=self._texts.source_digest,
                n_texts=len(self._texts.learned),
                n_pieces=len(self._learned),
                n_tokens=len(self._learned.ids),
                held_out_from=self._texts.held_out_from,
                n_held_out=len(self._texts.held_out),
                n_left_out=self._texts.n_left_out,
            ),
            training=self._spec.training(),
            warm_up=warm_up,
            note=NO_GAIN if warm_up else None,
            n_steps=self._phase.n_steps,
            losses=losses,
            curve=curve,
            seconds=time.time() - started,
            started_ms=round(started * 1000),
            device=str(self._masked_lm.device),
            precision=self._precision,
            n_threads=torch.get_num_threads(),
            version=__version__,
            sha256=file_digest(folder / WEIGHTS_FILE),
        )


@contextmanager
def _head_alone(masked_lm: MaskedLanguageModel) -> Iterator[None]:
    """Freeze all but the head for the length of a block."""
    masked_lm.model.requires_grad_(False)
    for parameter in masked_lm.head_parameters():
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        masked_lm.model.requires_grad_(True)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed dropout, which takes no generator, and leave torch's global state as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
