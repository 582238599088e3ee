"""A checkpoint as a masked language model, with a tokenizer that knows which word a token belongs to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.encoder.fp32_types import supported_autocast
from finetune_alf.encoder.initial_weights import InitialWeights
from finetune_alf.encoder.locate import locate
from finetune_alf.encoder.pretrained import load_checkpoint, n_positions, quiet
from finetune_alf.encoder.spec import EncoderSpec, RandomEncoder
from finetune_alf.encoder.tokens import check_max_tokens
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_TEXTS_PER_CALL = 1000  # the tokenizer's own records are large


@dataclass(frozen=True, eq=False)
class MaskedLanguageModel:
    """A model for masked language modelling, its tokenizer, and the folder of the checkpoint.

    `newly_initialized` are the tensors of the head that the checkpoint does not hold.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    anatomy: Anatomy
    newly_initialized: tuple[str, ...]
    folder: Path
    identity: str

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        device: torch.device = self.model.device
        return device

    @property
    def mask_token_id(self) -> int:
        """The id of the mask token."""
        return int(self.tokenizer.mask_token_id)

    @property
    def pad_token_id(self) -> int:
        """The id of the padding token."""
        return int(self.tokenizer.pad_token_id)

    @property
    def non_special_ids(self) -> tuple[int, ...]:
        """The ids of all tokens but the special ones."""
        special = set(self.tokenizer.all_special_ids)
        return tuple(index for index in range(len(self.tokenizer)) if index not in special)

    def pieces(self, texts: Sequence[str], max_tokens: int) -> Iterator[tuple[list[int], list[int]]]:
        """Yield token ids and word ids of each piece of each text, special tokens included.

        A text longer than `max_tokens` gives several pieces. The word id of a special token is -1, also where a text
        contains it literally. Raises EncoderError when the model has fewer positions than `max_tokens`.
        """
        self._check_length(max_tokens)
        special = set(self.tokenizer.all_special_ids)
        for start in range(0, len(texts), _TEXTS_PER_CALL):
            for encoding in self._encode(list(texts[start : start + _TEXTS_PER_CALL]), max_tokens).encodings:
                words = zip(encoding.ids, encoding.word_ids, strict=True)
                yield encoding.ids, [-1 if word is None or token in special else word for token, word in words]

    def logits_at(self, input_ids: torch.Tensor, is_token: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return the logits, (n, V), at these positions of the flattened batch (B, L).

        The decoder, the largest product of a small encoder, skips all other positions.
        """
        positions = positions.to(input_ids.device)

        def select(module: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            return (inputs[0].flatten(0, 1)[positions], *inputs[1:])  # (B, L, h) -> (n, h)

        handle = self.model.get_output_embeddings().register_forward_pre_hook(select)
        try:
            with supported_autocast(self.model):
                logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=is_token.long()).logits
        finally:
            handle.remove()
        return logits if logits.dim() == 2 else logits.flatten(0, 1)[positions]

    def head_parameters(self) -> list[torch.nn.Parameter]:
        """Return the parameters of the head; a decoder that is tied to the word embeddings is not among them."""
        return [self.model.get_parameter(name) for name in self.anatomy.parameters[HEAD]]

    def _encode(self, texts: list[str], max_tokens: int) -> Any:
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
        check_max_tokens(max_tokens, self.tokenizer.num_special_tokens_to_add(pair=False))


def load_masked_lm(spec: EncoderSpec, seed: int, device: str = "cpu") -> MaskedLanguageModel:
    """Load an encoder with a masked language modelling head; tensors that the checkpoint lacks are drawn from the seed.

    Raises EncoderError as `load_encoder` does, and for a tokenizer that has no mask token or is not a fast one.
    """
    if isinstance(spec, RandomEncoder):
        raise EncoderError(
            "encoder: must be a checkpoint with a tokenizer of its own for further pre-training, but got kind random. "
            "Use another encoder."
        )
    folder = locate(spec)
    with quiet():
        with torch.random.fork_rng(devices=[]):
            loaded = load_checkpoint(folder, "masked language modelling")
        names = tuple(name for name, _ in loaded.model.named_parameters() if name in loaded.newly_initialized)
        InitialWeights({}, names).restore(loaded.model, seed)
    if loaded.tokenizer.mask_token_id is None or not loaded.tokenizer.is_fast:
        lacking = "a mask token" if loaded.tokenizer.is_fast else "word ids, as fast tokenizers have"
        raise EncoderError(f"{folder}: the tokenizer must have {lacking}, but has none. Use another encoder.")
    loaded.model.to(device)
    return MaskedLanguageModel(
        model=loaded.model,
        tokenizer=loaded.tokenizer,
        anatomy=loaded.anatomy,
        newly_initialized=tuple(sorted(loaded.newly_initialized)),
        folder=folder,
        identity=spec.identity(),
    )
