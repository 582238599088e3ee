"""Which tokens of a long text are kept."""

from finetune_alf.recipe.recipe import Truncation


def kept_positions(n_tokens: int, n_kept: int, truncation: Truncation) -> list[int]:
    """Return the positions of the tokens of a text that are kept, in order; `n_kept` at most.

    `head_tail` keeps a quarter at the head and the rest at the tail: of 510 tokens 128 and 382, as in Sun et al. 2019,
    "How to Fine-Tune BERT for Text Classification?".
    """
    if n_tokens <= n_kept:
        return list(range(n_tokens))
    n_head = {"head": n_kept, "tail": 0, "head_tail": (n_kept + 2) // 4}[truncation]
    return [*range(n_head), *range(n_tokens - (n_kept - n_head), n_tokens)]


def kept_of_pair(n_first: int, n_second: int, n_kept: int) -> tuple[int, int]:
    """Return how many tokens of the two texts of a pair are kept: the longer one is cut first."""
    if n_first + n_second <= n_kept:
        return n_first, n_second
    half = n_kept // 2
    if n_first <= half:
        return n_first, n_kept - n_first
    second = min(n_second, n_kept - half)
    return n_kept - second, second
