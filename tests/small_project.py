"""A project so small that every stage takes seconds: a random encoder of two layers on the corpus of the package."""

from finetune_alf.experiments.registry import load_params
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context
from finetune_alf.running.prepare import prepare

PARAMS = """
project: small
compute: {n_threads: 1, precision: fp32}
encoders:
  tiny:
    kind: random
    seed: 1
    config:
      model_type: bert
      vocab_size: 500
      hidden_size: 16
      num_hidden_layers: 2
      num_attention_heads: 2
      intermediate_size: 32
      max_position_embeddings: 32
      initializer_range: 0.4
samples:
  films:
    source: {kind: mini, domain: films}
    n_train: 32
    n_validation: 32
    n_confirmation: 32
    n_test: 40
    max_train_frac: 0.2
  travel:
    source: {kind: mini, domain: travel}
    n_train: 32
    n_validation: 32
    n_confirmation: 32
    n_test: 40
    max_train_frac: 0.2
studies:
  tiny:
    encoder: tiny
    sample: films
    space: {kind: choices, rates: [0, 1e-4, 1e-3, 1e-2]}
    enqueue: [baseline]
    seed: 3
    recipe:
      rates: {kind: uniform, rate: 1e-2, head: 1e-2}
      allow_forgetting: true
      batch: 8
      epochs: 4
      max_tokens: 16
    n_trials: 12
importance: {n_resamples: 3}
register: {n_top: 2, n_seeds: 2, min_distance: 0.5}
transfer:
  studies: [tiny]
  samples: [films, travel]
  schemes: [feature_extraction, baseline, alf-1, alf-2, decayed]
  n_seeds: 2
"""


def changed_params(changes, text=PARAMS):
    """The params with some texts replaced, each of which must be there."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def context_of(root):
    """The context of a project, whose params.yaml is there."""
    return Context(load_params(root / "params.yaml"), Paths(root), RecordingConsole())


def project_after(experiment, name, root, params):
    """A project with these params and the films prepared, after a run of an experiment's entry."""
    (root / "params.yaml").write_text(params)
    ctx = context_of(root)
    prepare(ctx, "films")
    experiment.run(ctx, name)
    return ctx


def n_fitted_after_a_loss(experiment, name, ctx):
    """How many fits a second start does where the last result is lost."""
    ledger = ctx.paths.ledger(f"{experiment.key}-{name}")
    kept = ledger.read_text().strip().split("\n")[:-1]
    ledger.write_text("\n".join(kept))
    experiment.run(context_of(ctx.paths.root), name)
    return len(ledger.read_text().strip().split("\n")) - len(kept)


class RecordingConsole:
    """A console that keeps what was logged, and what it was doing."""

    def __init__(self):
        self.lines, self.doings, self.notes, self.totals, self.new, self.epochs = [], [], [], {}, [], []

    def log(self, text):
        self.lines.append(text)

    def doing(self, text):
        self.doings.append(text)

    def progress(self, label, total):
        self.totals[label] = total
        return _Bar(self.notes, self.new, self.epochs)


class _Bar:
    def __init__(self, notes, new, epochs):
        self.notes, self.new, self.epochs = notes, new, epochs

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def advance(self, note="", *, step="", is_new=True):
        self.notes.append(note)
        self.new.append(is_new)

    def epoch(self, step, number, of, seconds):
        self.epochs.append((step, number, of))


def small_context(root, **changes):
    root.mkdir(exist_ok=True)
    (root / "params.yaml").write_text(changed_params(changes))
    return Context(load_params(root / "params.yaml"), Paths(root), RecordingConsole())
