"""What `params check` and `run` say before anything is drawn or fitted."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from finetune_alf.cli.entry import group
from finetune_alf.errors import EncoderError, ParamsError, StorageError
from finetune_alf.experiments.registry import registry
from finetune_alf.experiments.run_all import run_all
from small_project import PARAMS, context_of


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


def check(root: Path, overlay: str = "{}") -> Result:
    (root / "over.yaml").write_text(overlay)
    words = ["params", "check", "--params", str(root / "over.yaml"), "--root", str(root)]
    return CliRunner().invoke(group, words)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("max_tokens: 33", "recipe.max_tokens: must be at most 32, the positions of encoder tiny, but got 33"),
        (
            "rates: {kind: listed, rate: ~, embeddings: 0, layers: [0, 0, 1e-3], head: 1e-2}",
            "recipe.rates.layers: must hold 2 rates, one for each layer of the encoder, but got 3",
        ),
        (
            "rates: {kind: frozen_below, n_frozen: 3, rate: 1e-3}",
            "recipe.rates.n_frozen: must be at most the encoder's 2 layers, but got 3",
        ),
        (
            "rates: {kind: frozen_below, n_frozen: 2, rate: 1e-3, head: 0}",
            "recipe.rates: must be above 0 at an address that learns from the first epoch on, but got 0 at all of them "
            "in the 2 layers of encoder tiny",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_its_encoder_has_its_place(root: Path, recipe: str, message: str) -> None:
    told = check(root, f"studies:\n  tiny:\n    recipe:\n      {recipe}\ntransfer: {{schemes: [baseline, alf-1]}}\n")
    assert told.exit_code == 3
    assert told.stderr.startswith(f"{root}/over.yaml:4:")
    assert f" studies.tiny.{message}" in told.stderr


def test_blocks_of_layers_that_the_encoder_lacks_are_named(root: Path) -> None:
    told = check(root, "studies: {tiny: {space: {blocks: [[layer.2]]}}}")
    assert told.exit_code == 3
    assert "studies.tiny.space.blocks: must name embeddings or layers 0 to 1, but got layer.2" in told.stderr


def test_experiments_are_checked_as_studies_are(root: Path) -> None:
    recipe = YAML(typ="safe").load(PARAMS)["studies"]["tiny"]["recipe"] | {"max_tokens": 40}
    told = check(
        root, f"freeze: {{tiny: {{encoder: tiny, samples: [films], recipe: {recipe}}}}}".replace("True", "true")
    )
    assert told.exit_code == 3
    assert "freeze.tiny.recipe.max_tokens: must be at most 32" in told.stderr


MODERN = "encoders: {modern: {kind: random, seed: 1, config: {model_type: modernbert, num_hidden_layers: 2}}}"


@pytest.mark.parametrize(
    ("overlay", "place"),
    [
        ("studies: {tiny: {encoder: modern, recipe: {adapter: {kind: lora}}}}", "studies.tiny.recipe.adapter"),
        (
            "studies: {tiny: {encoder: modern}}\n"
            "transfer: {studies: [tiny], samples: [films], schemes: [baseline, lora]}",
            "transfer.schemes.1",
        ),
        (
            "labels: {one: {encoder: modern, samples: [films], recipe: RECIPE, n_train: [8], n_validation: 8, "
            "schemes: [baseline, {kind: lora, name: low}]}}",
            "labels.one.schemes.1",
        ),
        (
            "schemes: {one: {encoder: modern, samples: [films], recipe: RECIPE, adapters: [none, lora]}}",
            "schemes.one.adapters.1",
        ),
        (
            "schemes: {one: {encoder: modern, samples: [films], recipe: RECIPE, "
            "cells: [{scheme: fixed, adapter: lora}]}}",
            "schemes.one.cells.0.adapter",
        ),
        (
            "samples: {two: {tasks: {films: SAMPLE}}}\nmultitask: {one: {encoder: modern, sample: two, baseline: all, "
            "recipe: {tasks: {}, rates: {kind: uniform, rate: 1e-5}, batch: 8, epochs: 1, max_tokens: 16}, "
            "vary: {all: {}, low: {adapter: {kind: lora}}}}}",
            "multitask.one.vary.low.adapter",
        ),
    ],
)
def test_lora_is_refused_for_an_encoder_that_it_cannot_be_added_to(root: Path, overlay: str, place: str) -> None:
    recipe = "{rates: {kind: uniform, rate: 1e-5}, batch: 8, epochs: 1, max_tokens: 16}"
    sample = (
        "{source: {kind: mini, domain: films}, n_train: 32, n_validation: 32, n_confirmation: 0, n_test: 32, "
        "max_train_frac: 1}"
    )
    filled = overlay.replace("RECIPE", recipe).replace("SAMPLE", sample)
    told = check(root, f"{MODERN}\n{filled}")
    assert f" {place}: must not be lora for encoder modern (modernbert), whose query, key and value" in told.stderr
    assert told.exit_code == 3
    bert = check(root, f"{MODERN.replace('modernbert', 'bert')}\n{filled}")
    assert "must not be lora" not in bert.stderr


def test_what_samples_and_encoders_lack_is_said_at_once(root: Path) -> None:
    (root / "one.csv").write_text("text,label\n" + "".join(f"text {n},good\n" for n in range(900)))
    (root / "named.csv").write_text("review,label\nfine,good\ndull,bad\n")
    samples = "".join(
        f"  {name}: {{source: {{kind: files, domain: ~, train: {name}.csv, text: text, label: label}}}}\n"
        for name in ("one", "named", "none")
    )
    sizes = "{n_train: 32, n_validation: 32, n_confirmation: 32, n_test: 40, max_train_frac: 0.2, "
    folder = "encoders: {tiny: {kind: folder, path: nowhere, seed: ~, config: ~}}\n"
    told = check(root, folder + "samples:\n" + samples.replace("{source", sizes + "source"))
    assert told.exit_code == 3
    lines = told.stderr.splitlines()
    assert lines[0].startswith(f"encoders.tiny: cannot read {root}/nowhere/config.json: no such file")
    assert "one.csv: must have at least two classes, but got only 'good'" in lines[1]
    assert lines[2].startswith("samples.named:")
    assert "text" in lines[2]
    assert lines[3].startswith("samples.none: cannot read")


def test_of_a_large_table_the_first_row_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_alf.data.check.CHEAP_BYTES", 10)
    (root / "large.csv").write_text("review,label\nfine,good\n" + "dull," * 20)
    source = "{kind: files, domain: ~, train: large.csv, text: COLUMN, label: label}"
    assert check(root, f"samples: {{films: {{source: {source.replace('COLUMN', 'review')}}}}}").exit_code == 0
    told = check(root, f"samples: {{films: {{source: {source.replace('COLUMN', 'text')}}}}}")
    assert told.exit_code == 3
    assert "samples.films" in told.stderr
    assert "review" in told.stderr


def spoil_studies(root: Path) -> None:
    (root / "studies").write_text("a file")


def spoil_store(root: Path) -> None:
    (root / "mlruns").write_text("a file")


@pytest.mark.parametrize(("spoil", "name"), [(spoil_studies, "studies"), (spoil_store, "mlruns")])
def test_a_store_that_cannot_be_written_is_named_before_a_sample_is_drawn(
    root: Path, spoil: Callable[[Path], None], name: str
) -> None:
    spoil(root)
    told = check(root)
    assert told.exit_code == 4
    assert told.stderr.startswith(f"cannot write {root / name}: {root / name} is no folder.")
    with pytest.raises(StorageError, match="is no folder"):
        run_all(context_of(root), registry())
    assert not (root / "data").exists()


def test_an_encoder_that_is_not_there_is_named_before_a_sample_is_drawn(root: Path) -> None:
    ctx = context_of(root)
    encoder = {"encoders": {"tiny": {"kind": "folder", "path": "nowhere"}}}
    params = ctx.params.model_validate(ctx.params.model_dump(by_alias=True) | encoder)
    with pytest.raises(EncoderError, match=r"encoders\.tiny: cannot read .*nowhere/config\.json"):
        run_all(type(ctx)(params, ctx.paths), registry())
    assert not (root / "data").exists()


def test_an_executor_that_is_not_installed_is_named_before_a_sample_is_drawn(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else find_spec(name))
    (root / "params.yaml").write_text(PARAMS.replace("compute: {", "compute: {executor: ray, "))
    with pytest.raises(ParamsError, match=r'pip install "finetune-alf\[ray\]"'):
        run_all(context_of(root), registry())
    assert not (root / "data").exists()
