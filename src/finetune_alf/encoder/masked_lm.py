"""A checkpoint as a model that fills masks, and its tokenizer as one that tells words apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.encoder.initial_weights import InitialWeights
from finetune_alf.encoder.locate import locate
from finetune_alf.encoder.pretrained import load_checkpoint, n_positions, quiet
from finetune_alf.encoder.spec import EncoderSpec, RandomEncoder
from finetune_alf.encoder.tokens import check_room
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_TEXTS_AT_ONCE = 1000  # the tokenizer's own records are large


@dataclass(frozen=True, eq=False)
class MaskedLanguageModel:
    """An encoder with a masked language modelling head, a checkpoint's tokenizer and the folder of both.

    `newly_initialized` names the tensors of the head that the checkpoint does not hold.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    anatomy: Anatomy
    newly_initialized: tuple[str, ...]
    folder: Path
    identity: str

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.model.device
        return device

    @property
    def mask_token_id(self) -> int:
        """The token that stands for a hidden one."""
        return int(self.tokenizer.mask_token_id)

    @property
    def pad_token_id(self) -> int:
        """The token that fills a batch up."""
        return int(self.tokenizer.pad_token_id)

    @property
    def non_special_ids(self) -> tuple[int, ...]:
        """All tokens but the special ones."""
        special = set(self.tokenizer.all_special_ids)
        return tuple(index for index in range(len(self.tokenizer)) if index not in special)

    def pieces(self, texts: Sequence[str], max_tokens: int) -> Iterator[tuple[list[int], list[int]]]:
        """Yield the tokens of each piece of each text, special ones added, and the number of each token's word.

        A text longer than `max_tokens` gives several pieces. Special tokens, also those that a text spells, have word
        -1. Raises EncoderError when the encoder cannot read texts that long.
        """
        self._check_length(max_tokens)
        special = set(self.tokenizer.all_special_ids)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            for encoding in self._encoded(list(texts[start : start + _TEXTS_AT_ONCE]), max_tokens).encodings:
                words = zip(encoding.ids, encoding.word_ids, strict=True)
                yield encoding.ids, [-1 if word is None or token in special else word for token, word in words]

    def logits_at(self, ids: torch.Tensor, is_token: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return what the model says at some places of the flattened batch (B, L): (n, V).

        The decoder, the largest product of a small encoder, is spared all other places.
        """
        flat = places.to(ids.device)

        def pick(module: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            return (inputs[0].flatten(0, 1)[flat], *inputs[1:])  # (B, L, h) -> (n, h)

        handle = self.model.get_output_embeddings().register_forward_pre_hook(pick)
        try:
            logits: torch.Tensor = self.model(input_ids=ids, attention_mask=is_token.long()).logits
        finally:
            handle.remove()
        return logits if logits.dim() == 2 else logits.flatten(0, 1)[flat]

    def head_parameters(self) -> list[torch.nn.Parameter]:
        """Return the parameters of the head; a decoder tied to the word embeddings is theirs."""
        return [self.model.get_parameter(name) for name in self.anatomy.parameters[HEAD]]

    def _encoded(self, texts: list[str], max_tokens: int) -> Any:
        return self.tokenizer(
            texts,
            truncation=True,
            max_length=max_tokens,
            return_overflowing_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )

    def _check_length(self, max_tokens: int) -> None:
        longest = n_positions(self.model)
        if max_tokens > longest:
            raise EncoderError(
                f"max_tokens: must be at most {longest} for {self.identity}, but got {max_tokens}. Lower it."
            )
        check_room(max_tokens, self.tokenizer.num_special_tokens_to_add(pair=False))


def load_masked_lm(spec: EncoderSpec, seed: int, device: str = "cpu") -> MaskedLanguageModel:
    """Load an encoder with its masked-language head; what the checkpoint lacks of the head is drawn from the seed.

    Raises EncoderError as `load_encoder` does, and for a tokenizer without a mask or that cannot tell words apart.
    """
    if isinstance(spec, RandomEncoder):
        raise EncoderError(
            "encoder: must be a checkpoint with a tokenizer of its own to be trained further, but got kind random. "
            "Name another encoder."
        )
    folder = locate(spec)
    with quiet():
        with torch.random.fork_rng(devices=[]):
            read = load_checkpoint(folder, "fill masks")
        InitialWeights(
            {}, tuple(name for name, _ in read.model.named_parameters() if name in read.newly_initialized)
        ).restore(read.model, seed)
    if read.tokenizer.mask_token_id is None or not read.tokenizer.is_fast:
        lacks = "mask token" if read.tokenizer.is_fast else "fast form, which tells words apart"
        raise EncoderError(f"{folder}: the tokenizer must have a {lacks}, but has none. Use another encoder.")
    read.model.to(device)
    fresh = tuple(sorted(read.newly_initialized))
    return MaskedLanguageModel(read.model, read.tokenizer, read.anatomy, fresh, folder, spec.identity())
