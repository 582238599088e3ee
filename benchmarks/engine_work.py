"""The work that all peers do: texts, recipe and rates. The peers are in the other `engine_*.py` files.

The lists of rates are fixed: the same ones for every peer, machine and version of the package.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from finetune_alf.data.source_spec import FilesSource, MiniSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.rates import FrozenBelow, LayerRates, UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.curve import LinearCurve
from finetune_alf.schedules.published import published
from finetune_alf.seeds import child_seed

GRID = (0.0, 5e-9, 5e-8, 5e-7, 5e-6, 5e-5, 1e-4)
"""The rates that the default study tries at each address."""

BODY, HEAD_RATE = 5e-5, 1e-3
"""The rates of the default study's baseline."""

Mode = Literal["quick", "full", "tiny"]
RatesOfTrials = Callable[[int], list[LayerRates]]
"""Returns the rates of a work's trials for a number of layers; a mode uses the first few of them."""


@dataclass(frozen=True)
class Sizes:
    """The size of a work in one mode: texts of each split, and trials."""

    n_train: int
    n_validation: int
    n_trials: int


@dataclass(frozen=True)
class Work:
    """One row of the table.

    `exactness` is the class of our run: D, the same distribution; S, semantics changed by `frozen_dropout: off`.
    `targets` are the speed-ups to reach over Trainer with defaults and Trainer tuned, per encoder.
    """

    name: str
    title: str
    source: Literal["imdb", "sst2", "mini"]
    batch: int
    max_tokens: int
    epochs: int
    rates: RatesOfTrials
    sizes: Mapping[Mode, Sizes]
    frozen_dropout: Literal["on", "off"] = "on"
    targets: Mapping[str, tuple[float, float]] | None = None

    @property
    def exactness(self) -> str:
        """The class of exactness of our engine's run."""
        return "S" if self.frozen_dropout == "off" else "D"

    def recipe(self) -> Recipe:
        """Return the recipe of every fit; the curve is Trainer's default, each trial has its own rates."""
        return Recipe(
            rates=UniformRates(rate=BODY, head=HEAD_RATE),
            epochs=self.epochs,
            batch=self.batch,
            max_tokens=self.max_tokens,
            curve=LinearCurve(),
            frozen_dropout=self.frozen_dropout,
        )

    def sample(self, mode: Mode, data: str | None) -> SampleSpec:
        """Return the spec of its sample; `data` is the folder of real texts."""
        sizes = self.sizes[mode]
        return SampleSpec(
            source=_source(self.source, data),
            n_train=sizes.n_train,
            n_validation=sizes.n_validation,
            n_confirmation=0,
            n_test=0,
            max_train_frac=0.5,
        )

    def vectors(self, mode: Mode, n_layers: int) -> list[LayerRates]:
        """Return the rates of its trials, all different: our engine reuses the result of an equal trial."""
        vectors = self.rates(n_layers)[: self.sizes[mode].n_trials]
        assert len({str(vector) for vector in vectors}) == len(vectors), f"{self.name} repeats rates"
        return vectors


def _source(name: str, data: str | None) -> FilesSource | MiniSource:
    if name == "mini":
        return MiniSource(domain="films")
    file = {"imdb": "imdb/train.parquet", "sst2": "sst2/train.csv"}[name]
    return FilesSource(train=f"{data}/{file}", text="text", label="label")


def _nothing_frozen(n_layers: int) -> list[LayerRates]:
    return [UniformRates(rate=BODY, head=HEAD_RATE).at(n_layers), *(_random(n, n_layers, GRID[1:]) for n in range(5))]


def _mixed(n_layers: int) -> list[LayerRates]:
    """List rates as in a study: from the grid, published, frozen at the bottom, nothing frozen, head only."""
    return [
        _random(0, n_layers, GRID),
        published("distilbert-alf-1").rates.stretch(n_layers),
        _below(n_layers * 2 // 3, n_layers),
        published("distilbert-alf-2").rates.stretch(n_layers),
        UniformRates(rate=BODY, head=HEAD_RATE).at(n_layers),
        _below("all", n_layers),
        _random(1, n_layers, GRID),
    ]


def _frozen_bottom(n_layers: int) -> list[LayerRates]:
    n_frozen = n_layers * 2 // 3  # layers 0-3 of 6
    texts = (_random(n, n_layers, GRID[1:]) for n in range(2))
    return [_below(n_frozen, n_layers), *(_freeze(rates, n_frozen) for rates in texts)]


def _top_layer(n_layers: int) -> list[LayerRates]:
    return [_below(n_layers - 1, n_layers, rate) for rate in (BODY, 1e-4, 5e-6)]


def _head_only(n_layers: int) -> list[LayerRates]:
    return [_below("all", n_layers, head=head) for head in (HEAD_RATE, 5e-4, 2e-3)]


def _below(n_frozen: int | Literal["all"], n_layers: int, rate: float = BODY, head: float = HEAD_RATE) -> LayerRates:
    return FrozenBelow(n_frozen=n_frozen, rate=rate, head=head).at(n_layers)


def _random(number: int, n_layers: int, rates: tuple[float, ...]) -> LayerRates:
    draw = random.Random(child_seed(0, "benchmark", number))  # noqa: S311 - not for security
    body = draw.choices(rates, k=n_layers + 1)
    return LayerRates.of(body[0], body[1:], HEAD_RATE)


def _freeze(rates: LayerRates, n_frozen: int) -> LayerRates:
    return LayerRates.of(0.0, [0.0] * n_frozen + list(rates.layers[n_frozen:]), HEAD_RATE)


WORKS = (
    Work(
        "imdb-512",
        "IMDb, 512 tokens, nothing frozen",
        "imdb",
        batch=32,
        max_tokens=512,
        epochs=1,
        rates=_nothing_frozen,
        sizes={"quick": Sizes(32, 16, 1), "full": Sizes(128, 64, 1), "tiny": Sizes(16, 8, 1)},
        targets={"minilm": (10, 8), "bert-base": (12, 3)},
    ),
    Work(
        "sst2",
        "SST-2, nothing frozen",
        "sst2",
        batch=32,
        max_tokens=512,
        epochs=1,
        rates=_nothing_frozen,
        sizes={"quick": Sizes(256, 128, 1), "full": Sizes(512, 512, 6), "tiny": Sizes(16, 8, 1)},
        targets={"minilm": (8.5, 3), "distilbert": (20, 0)},
    ),
    Work(
        "imdb-bottom-frozen",
        "IMDb, embeddings and two thirds of the layers (0-3 of 6) frozen",
        "imdb",
        batch=32,
        max_tokens=512,
        epochs=1,
        rates=_frozen_bottom,
        sizes={"quick": Sizes(32, 16, 1), "full": Sizes(128, 64, 1), "tiny": Sizes(16, 8, 1)},
        targets={"minilm": (11, 9.5)},
    ),
    Work(
        "imdb-top-layer",
        "IMDb, all but the top layer frozen, without dropout below it",
        "imdb",
        batch=32,
        max_tokens=512,
        epochs=10,
        rates=_top_layer,
        sizes={"quick": Sizes(6, 2, 1), "full": Sizes(32, 16, 1), "tiny": Sizes(16, 8, 1)},
        frozen_dropout="off",
        targets={"minilm": (30, 18)},
    ),
    Work(
        "imdb-features",
        "IMDb, feature extraction, without dropout below the head",
        "imdb",
        batch=32,
        max_tokens=512,
        epochs=10,
        rates=_head_only,
        sizes={"quick": Sizes(6, 2, 1), "full": Sizes(32, 16, 1), "tiny": Sizes(16, 8, 1)},
        frozen_dropout="off",
        targets={"minilm": (50, 30)},
    ),
    Work(
        "sst2-mixed",
        "SST-2, rates as in a study",
        "sst2",
        batch=32,
        max_tokens=512,
        epochs=1,
        rates=_mixed,
        sizes={"quick": Sizes(128, 128, 7), "full": Sizes(256, 256, 7), "tiny": Sizes(16, 8, 2)},
    ),
    Work(
        "mini",
        "the packaged film reviews, rates as in a study",
        "mini",
        batch=8,
        max_tokens=48,
        epochs=2,
        rates=_mixed,
        sizes={"quick": Sizes(64, 72, 7), "full": Sizes(64, 72, 7), "tiny": Sizes(16, 8, 2)},
        targets={"minilm": (5, 3.2)},
    ),
)

QUICK = ("imdb-512", "sst2", "imdb-bottom-frozen", "imdb-top-layer", "imdb-features", "mini")
"""The works with a target: the default of a quick run."""
