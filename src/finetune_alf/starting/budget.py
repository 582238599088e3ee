"""`--budget`: the largest search whose predicted time fits, by the cost model of `plan` and a short probe."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from finetune_alf.cost.speed import Speed
from finetune_alf.experiments.registry import plannables
from finetune_alf.params.document import Document
from finetune_alf.params.load import validate
from finetune_alf.params.model import Params
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import Predictors, named, plan
from finetune_alf.running.context import Console, Context, ProgressBar, SilentConsole
from finetune_alf.running.prepare import prepare
from finetune_alf.starting.columns import Guess
from finetune_alf.starting.params_text import Start, start_params
from finetune_alf.starting.sizes import TOKENS

EFFORTS = ((120, 5), (80, 5), (60, 5), (40, 5), (30, 5), (20, 5), (16, 5), (12, 5), (12, 3), (8, 3), (8, 2))
"""Numbers of trials and of seeds, the most work first; five seeds have a verdict, and 8 trials an importance."""

MIN_TOKENS, MIN_TRAIN = 32, 40
"""Texts are cut no shorter, and no fewer are trained on, to fit a budget."""


@dataclass(frozen=True)
class Sized:
    """A start whose search fits a budget, and its predicted seconds; the smallest one where none fits."""

    start: Start
    seconds: float


def sized(start: Start, budget_s: float, predicted_s: Callable[[Start], float]) -> Sized:
    """Return the largest search that fits: fewer trials and seeds first, then shorter texts, then fewer of them."""
    found = Sized(start, float("inf"))
    for texts in _with_less_text(start):
        smallest = replace(texts, n_trials=EFFORTS[-1][0], n_seeds=EFFORTS[-1][1])
        found = Sized(smallest, predicted_s(smallest))
        if found.seconds <= budget_s:
            return next(one for one in _efforts(texts, predicted_s) if one.seconds <= budget_s)
    return found


def described_cuts(start: Start, found: Start) -> str:
    """Return in words what a budget has less of than the start without one; nothing where it has no less."""
    before, after = start.sizes.value.n_train, found.sizes.value.n_train
    pairs = (
        ("rows to train", before, after),
        ("texts a batch", start.batch, found.batch),
        ("tokens of a text", start.max_tokens.value, found.max_tokens.value),
        ("trials", start.n_trials, found.n_trials),
        ("seeds", start.n_seeds, found.n_seeds),
    )
    return ", ".join(f"{had} {what} to {has}" for what, had, has in pairs if has < had)


def _efforts(start: Start, predicted_s: Callable[[Start], float]) -> Iterator[Sized]:
    for n_trials, n_seeds in EFFORTS:
        one = replace(start, n_trials=n_trials, n_seeds=n_seeds)
        yield Sized(one, predicted_s(one))


def _with_less_text(start: Start) -> Iterator[Start]:
    """Yield the start as guessed, then with texts cut shorter and shorter, then with fewer and fewer to train on."""
    yield start
    longest = start.max_tokens.value
    seen = f"cut to fit the budget; at {longest} tokens, {start.max_tokens.seen}"
    for tokens in sorted((each for each in TOKENS if MIN_TOKENS <= each < longest), reverse=True):
        start = replace(start, max_tokens=Guess(tokens, seen))
        yield start
    while (n := start.sizes.value.n_train // 2) >= MIN_TRAIN:
        sizes = start.sizes.value.without_training_rows(start.sizes.value.n_train - n)
        start = replace(start, sizes=Guess(sizes, f"{sizes.seen}; cut to fit the budget"))
        yield start


@dataclass(frozen=True)
class _BarsOnly:
    """A console that drops the lines of stages which only serve a prediction: they come again for each size."""

    console: Console

    def log(self, text: str) -> None:
        """Drop the line."""

    def doing(self, text: str) -> None:
        """Drop the line."""

    def progress(self, label: str, total: int) -> AbstractContextManager[ProgressBar]:
        """Show progress towards a total."""
        return self.console.progress(label, total)


@dataclass(frozen=True)
class Prediction:
    """Predicts the seconds of a run on this machine; `folder` is for the samples, each size once.

    The encoder is loaded and its steps are timed once, at the first size: the speed is one by operations, and holds for
    shorter and fewer texts. Of the console the bars alone are shown.
    """

    table: Path
    root: Path
    model: type[Params]
    folder: Path
    console: Console = field(default_factory=SilentConsole)
    _speeds: dict[str, Speed] = field(default_factory=dict, repr=False)
    _predictors: dict[int, Predictors] = field(default_factory=dict, repr=False)

    def __call__(self, start: Start) -> float:
        """Return the predicted seconds of all fits of a run, with the starts of its stages."""
        n_train = start.sizes.value.n_train
        ctx = Context(self._params(start), Paths(self.folder / f"{n_train}"), _BarsOnly(self.console))
        if n_train not in self._predictors:
            for sample in ctx.params.samples:
                prepare(ctx, sample)
            loaded = next((other.fit_runner for other in self._predictors.values()), None)
            self._predictors[n_train] = Predictors(ctx, self._speeds, loaded)
        planned = named(ctx.params, plannables(), None)
        return sum(plan(ctx, each, name, self._predictors[n_train]).seconds for each, name in planned)

    @property
    def cpu_share(self) -> float | None:
        """The seconds of processor time for each second of the probe; None where a GPU computes, or before a call."""
        return next((each.cpu_share for each in self._predictors.values() if each.cpu_share is not None), None)

    def _params(self, start: Start) -> Params:
        """Return the start's parameters, with whole paths: the probe has a folder of its own."""
        encoder = dict(start.encoder)
        if encoder["kind"] == "folder":
            encoder["path"] = str((self.root / encoder["path"]).resolve())
        whole = replace(start, table=str(self.table.absolute()), encoder=encoder)
        return validate(Document("params.yaml", start_params(whole)), self.model)
