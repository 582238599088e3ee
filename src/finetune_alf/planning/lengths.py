"""Token counts of the texts of a fit, for the formulas of `cost/`."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from finetune_alf.cost.mixture import TaskLengths
from finetune_alf.cost.shape import FitLengths
from finetune_alf.data.mixture import AnySample
from finetune_alf.data.sample import Sample
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.recipe import ProbeRecipe, Recipe

Pairs = Mapping[str, str]
"""How each task reads pairs of texts: together or apart."""


@dataclass(frozen=True)
class _TokenCounts:
    """The number of tokens of each text of a split, and the token ids that occur."""

    lengths: tuple[int, ...]
    words: frozenset[int]


@dataclass
class TextLengths:
    """Token counts of texts under one encoder's tokenizer; every split is tokenised once, and counted once."""

    encoder: Encoder
    _known: dict[Hashable, _TokenCounts] = field(default_factory=dict, repr=False)
    _parts: dict[Hashable, dict[str, TaskLengths]] = field(default_factory=dict, repr=False)

    def parts(self, drawn: AnySample, recipe: Recipe | ProbeRecipe, scored: str | None) -> dict[str, TaskLengths]:
        """Return the token counts of each task of a fit; without a split to score, the validation split is scored."""
        tasks = recipe.tasks if isinstance(recipe, Recipe) else None
        pairs: Pairs = {task: tasks.of(task).pairs if tasks else "together" for task in drawn.tasks}
        key = (drawn.card.digest, recipe.max_tokens, scored, *pairs.items())
        if key not in self._parts:
            self._parts[key] = self._counted(drawn, recipe.max_tokens, pairs, scored)
        return self._parts[key]

    def _counted(self, drawn: AnySample, max_tokens: int, pairs: Pairs, scored: str | None) -> dict[str, TaskLengths]:
        read = {
            task: {
                split: self._split(sample, split, max_tokens, pairs[task] == "apart")
                for split in ("train", "validation", *([scored] if scored and sample.splits[scored].texts else []))
            }
            for task, sample in drawn.tasks.items()
        }
        n_words = len(_united(split.words for splits in read.values() for split in splits.values()))
        return {
            task: TaskLengths(
                n_rows=len(drawn.tasks[task].splits["train"].texts),
                n_texts_per_row=2 if pairs[task] == "apart" else 1,
                lengths=_lengths(splits, scored, n_words),
            )
            for task, splits in read.items()
        }

    def _split(self, sample: Sample, name: str, max_tokens: int, apart: bool) -> _TokenCounts:
        key = (sample.card.digest, name, max_tokens, apart)
        if key not in self._known:
            self._known[key] = _read_split(self.encoder, sample, name, max_tokens, apart)
        return self._known[key]


def fit_lengths(encoder: Encoder, sample: Sample, max_tokens: int, scored: str | None) -> FitLengths:
    """Tokenise the splits of a fit; `scored` is None where the validation split is scored."""
    names = ("train", "validation", *([scored] if scored else []))
    read = {split: _read_split(encoder, sample, split, max_tokens) for split in names}
    return _lengths(read, scored, len(_united(split.words for split in read.values())))


def _read_split(encoder: Encoder, sample: Sample, split: str, max_tokens: int, apart: bool = False) -> _TokenCounts:
    texts = sample.splits[split].texts
    ids = encoder.tokenize([part for text in texts for part in text] if apart else texts, max_tokens).input_ids
    return _TokenCounts(tuple(map(len, ids)), _united(ids))


def _lengths(read: dict[str, _TokenCounts], scored: str | None, n_words: int) -> FitLengths:
    last = read[scored].lengths if scored in read and scored != "validation" else None
    return FitLengths(read["train"].lengths, read["validation"].lengths, last, n_words)


def _united(some: Iterable[Iterable[int]]) -> frozenset[int]:
    return frozenset().union(*some)
