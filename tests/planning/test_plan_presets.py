"""The presets for a GPU can be planned: here on tiny encoders of their depth, and small files in place of the hub."""

import json
from collections import Counter

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.data.spec import MixtureSpec, SampleSpec
from finetune_alf.encoder.spec import HubEncoder, RandomEncoder
from finetune_alf.experiments.registry import load_params, plannables
from finetune_alf.params.presets import preset_names
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import collect, plans
from finetune_alf.running.context import Context
from finetune_alf.running.prepare import prepare
from small_project import RecordingConsole
from word_pairs import write_word_pairs

pytestmark = pytest.mark.usefixtures("quick_probes")


def local(name, spec, source, seed):
    """The same tasks, on texts that are there, of a draw of their own; whole data sets become small ones."""
    if isinstance(spec, MixtureSpec):
        tasks = {task: local(task, one, source, seed) for task, one in spec.tasks.items()}
        return MixtureSpec(tasks=tasks)
    text = {"quora": ["a", "b"], "sts": ["a", "b"]}.get(name, "a")
    score = name.startswith("sts")
    label = "score" if score else "kind"
    given = {
        "source": {"kind": "files", "train": str(source), "text": text, "label": label},
        "n_train": 40,
        "n_validation": 16,
        "n_confirmation": 16 if spec.n_confirmation else 0,
        "n_test": 0 if name in ("sst2", "stsb") else 16,
        "max_train_frac": 1,
        "seed": seed,
    } | ({"problem_type": "regression"} if score else {})
    return SampleSpec.model_validate_json(json.dumps(given))


def small_encoder(name):
    """An encoder in its depth, and nothing else of its size."""
    config = {"model_type": "bert", "vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 12}
    config |= {"num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 512}
    config["num_hidden_layers"] = 24 if "large" in name else 6 if "distil" in name else 12
    return RandomEncoder(kind="random", seed=1, config=config)


FULL_PRESETS = {
    # trials; as many fits of single rates, in whole rounds of six; five trials, the baseline and the best single rate
    # confirmed over three seeds; five schemes over five seeds on four sets
    **{f"thesis-{name}": {name: 220 + 216 + 7 * 3 + 4 * 25} for name in ("distilbert", "bert", "roberta")},
    # on each task of a level's five seeds, and four rates that are not the one that is found
    "elsa-glue": {
        "bert-base": 9 * (8 * 5 + 4),
        "bert-large": 4 * (14 * 5 + 4),
        "roberta-base": 4 * (8 * 5 + 4),
        "roberta-large": 4 * (14 * 5 + 4),
    },
    "testbed": {"testbed": 44},
    "thesis-forgetting": {"bert": 4 * 5},
    "thesis-decay": {"bert": 2 * 4 * 5},
    "thesis-schedules": dict.fromkeys(("distilbert", "bert", "roberta"), 4 * 4 * 5),
    "minbert-unfreeze": {"minbert-unfreeze": 4},
    "minbert-rate": {"minbert-rate": 3},
    "minbert-dropout": {"minbert-dropout": 5},
    "minbert-heads": {"minbert-heads": 8},
    "minbert-final": {f"minbert-{name}": 2 for name in ("final", "sst5", "quora", "sts")},
}


def test_every_preset_out_of_the_hub_is_among_those_that_are_planned(tmp_path):
    from_hub = {
        preset
        for preset in preset_names()
        if any(isinstance(one, HubEncoder) for one in load_params(tmp_path / "none.yaml", [preset]).encoders.values())
    }
    assert from_hub == set(FULL_PRESETS)


LONG = set(FULL_PRESETS) - {"thesis-distilbert", "testbed", "minbert-heads"}
"""With several encoders, each of which is timed; or of the same sections as one of these three."""


@pytest.mark.parametrize(
    "preset", [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in FULL_PRESETS]
)
def test_the_full_presets_can_be_planned(preset, tmp_path, monkeypatch):
    monkeypatch.setattr("finetune_alf.planning.study.N_DRAWS", 5)
    source = write_word_pairs(tmp_path / "words.csv")
    params = load_params(tmp_path / "none.yaml", [preset])
    changes = {
        "encoders": {name: small_encoder(name) for name in params.encoders},
        "samples": {name: local(name, spec, source, seed) for seed, (name, spec) in enumerate(params.samples.items())},
        "compute": params.compute.model_copy(update={"n_threads": 1}),
    }
    ctx = Context(params.model_copy(update=changes), Paths(tmp_path), RecordingConsole())
    for name in ctx.params.samples:
        prepare(ctx, name)
    made, failed = plans(ctx, collect(ctx, plannables()))
    assert not failed
    n_fits = Counter()
    for planned in made:
        n_fits[planned.name] += sum(stage.n_fits for stage in planned.stages)
        assert all(stage.seconds > 0 and stage.memory_bytes > 0 for stage in planned.stages)
    assert n_fits == FULL_PRESETS[preset]


def test_a_preset_whose_encoders_are_out_of_reach_names_each_of_them(tmp_path):
    printed = CliRunner().invoke(group, ["plan", "--params", "elsa-glue", "--root", str(tmp_path)])
    assert (printed.exit_code, printed.stdout) == (3, "")
    assert ["must be in the cache" in line for line in printed.stderr.splitlines()] == [True] * 4
    assert "google-bert/bert-large-uncased" in printed.stderr
