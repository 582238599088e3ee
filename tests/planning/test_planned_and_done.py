"""Every stage does as many fits as its plan says: from the beginning, and after half of them."""

import json
import shutil

import pytest
from transformers import AutoTokenizer

from finetune_alf.experiments.adapt.pretraining import FurtherPretraining
from finetune_alf.experiments.registry import BUILT_IN
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.planning.plan import plan
from finetune_alf.planning.study import StudyPlan
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.study import study
from finetune_alf.study.store import StudyStore
from small_project import PARAMS, changed_params, context_of
from tiny import save_tiny

pytestmark = pytest.mark.usefixtures("quick_probes")

RECIPE = {
    "rates": {"kind": "uniform", "rate": 1e-3, "head": 1e-2},
    "allow_forgetting": True,
    "batch": 16,
    "epochs": 1,
    "max_tokens": 16,
}
ONE = {"encoder": "tiny", "sample": "films", "n_seeds": 2, "recipe": RECIPE}
SEVERAL = {"encoder": "tiny", "samples": ["films", "travel"], "n_seeds": 2, "recipe": RECIPE}
FROZEN = {"rates": {"kind": "frozen_below", "n_frozen": 1, "rate": 1e-3, "head": 1e-2}}
DRAWN = {"n_train": 16, "n_validation": 24}
ENTRIES = {
    "adapt": {**ONE, "n_steps": 4, "batch": 8, "max_tokens": 16, "warm_up_head": {"n_steps": 2, "rate": 1e-3}},
    "freeze": {**SEVERAL, "n_frozen": [1], "rates": [1e-3, 3e-3]},
    "schemes": {**SEVERAL, "cells": [{"scheme": "fixed"}, {"scheme": "gradual"}]},
    "multitask": {
        **ONE,
        "sample": "both",
        "baseline": "all",
        "vary": {"all": {}, "again": {}, "top": FROZEN},
        "recipe": {**RECIPE, "tasks": {}},
    },
    "budget": {
        **{name: value for name, value in SEVERAL.items() if name != "n_seeds"},
        **DRAWN,
        "space": {"kind": "choices", "rates": [0, 1e-3, 1e-2]},
        "n_fits": 3,
        "n_top": 2,
        "n_confirm_seeds": 1,
        "n_test_seeds": 1,
        "n_permuted": 1,
        "n_random": 1,
        "n_confirmation": 24,
        "n_search_test": 10,
        "n_replicates": 1,
    },
    "labels": {
        **SEVERAL,
        "schemes": ["tfidf", "baseline", {"kind": "decayed", "factor": 1.0}],
        "n_train": [16, 32],
        "n_validation": 8,
    },
    "forgetting": {**ONE, "rates": [1e-3, 3e-3], "every_steps": 2},
    "decay": {**ONE, "rates": [1e-3, 3e-3], "factors": [1.0, 0.5]},
    "fit": {"scheme": "alf-1", "train_on": "all"},
}
UPPER_BOUNDS = ("budget",)
"""What two of its arms have in common is not known before."""

SIZES = "n_train: 24, n_validation: 24, n_confirmation: 24, n_test: 30, max_train_frac: 0.2"
SHORT = {
    "    n_trials: 12": "    n_trials: 6",
    "rates: {kind: uniform, rate: 1e-2, head: 1e-2}": "rates: {kind: uniform, rate: 5e-3, head: 1e-2}",
    "epochs: 4": "epochs: 1",
    "schemes: [feature_extraction, baseline, alf-1, alf-2, decayed]": "schemes: [probe, alf-1, alf-2, uniform]",
}


def project_text():
    before, _, after = PARAMS.partition("encoders:")
    after = after.partition("samples:")[2]
    text = changed_params(SHORT, f"{before}encoders:\n  tiny: {{kind: folder, path: encoder}}\nsamples:{after}")
    tasks = {f"{name}": f"{{source: {{kind: mini, domain: {name}}}, {SIZES}}}" for name in ("films", "travel")}
    both = "".join(f"      {name}: {sample}\n" for name, sample in tasks.items())
    text = text.replace("studies:\n  tiny:", f"  both:\n    tasks:\n{both}studies:\n  tiny:", 1)
    named = {key: {"tiny": entry} for key, entry in ENTRIES.items()}
    return text + "".join(f"{key}: {json.dumps(entry)}\n" for key, entry in named.items())


@pytest.fixture(scope="module")
def registered(empty_store, tmp_path_factory):
    """A project with a registered study, and an entry of each experiment that has not run."""
    root = tmp_path_factory.mktemp("planned") / "project"
    shutil.copytree(empty_store, root)
    save_tiny(root / "encoder")
    tokenizer = AutoTokenizer.from_pretrained(root / "encoder")
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    tokenizer.save_pretrained(root / "encoder")
    (root / "params.yaml").write_text(project_text())
    ctx = context_of(root)
    for sample in ("films", "travel", "both"):
        prepare(ctx, sample)
    study(ctx, "tiny")
    register(ctx, "tiny")
    return root


@pytest.fixture
def root(registered, tmp_path):
    return shutil.copytree(registered, tmp_path / "project")


class Fits:
    """Counts fits as they are kept, and stops before one of them."""

    def __init__(self):
        self.n, self.limit = 0, None

    def began(self):
        if self.n == self.limit:
            raise KeyboardInterrupt
        self.n += 1


@pytest.fixture
def fits(monkeypatch):
    found = Fits()
    for owner, name in ((Ledger, "add"), (StudyStore, "finish_trial"), (FurtherPretraining, "run")):
        original = getattr(owner, name)

        def counted(*args, _original=original, **named):
            found.began()
            return _original(*args, **named)

        monkeypatch.setattr(owner, name, counted)
    return found


def n_left(root, plannable):
    return sum(stage.n_left for stage in plan(context_of(root), plannable, "tiny").stages)


def run(root, experiment):
    ctx = context_of(root)
    for arguments in (
        [("tiny", each) for each in ctx.params.transfer.samples] if experiment.key == "transfer" else [("tiny",)]
    ):
        experiment.run(ctx, *arguments)


class StudyAndRegistration(StudyPlan):
    """A study with its registration, run as an experiment is."""

    def run(self, ctx, name):
        study(ctx, name)
        register(ctx, name)


STAGES = {experiment.key: experiment for experiment in BUILT_IN} | {"studies": StudyAndRegistration()}


ALWAYS = ("studies", "transfer", "freeze")
"""What `make test` runs; most others plan their cells as `freeze` does."""


@pytest.mark.parametrize("key", [key if key in ALWAYS else pytest.param(key, marks=pytest.mark.long) for key in STAGES])
def test_as_many_fits_are_done_as_are_planned(root, fits, key):
    if key == "studies":
        shutil.rmtree(root / "studies")
        shutil.rmtree(root / "results")
    planned = n_left(root, STAGES[key])
    fits.limit = planned // 2
    with pytest.raises(KeyboardInterrupt):
        run(root, STAGES[key])
    left = n_left(root, STAGES[key])
    assert 0 < left <= planned - fits.n
    assert left == planned - fits.n or key in UPPER_BOUNDS
    fits.limit, fits.n = None, 0
    run(root, STAGES[key])
    assert fits.n <= left
    assert fits.n == left or key in UPPER_BOUNDS
    assert n_left(root, STAGES[key]) == 0


def test_the_trials_of_other_params_are_stale_and_planned_anew(root):
    path = root / "params.yaml"
    path.write_text(path.read_text().replace("    seed: 3", "    seed: 4"))
    ctx = context_of(root)
    search, registration = plan(ctx, STAGES["studies"], "tiny").stages
    assert (search.n_fits, search.n_left, search.elapsed) == (6, 6, None)
    assert search.note == "stale: 6 trials of other params"
    assert registration.n_left == 4  # single rates and baseline stay, the trials to confirm will be others
