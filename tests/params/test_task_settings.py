"""`params check` refuses settings of tasks that the labels of their samples deny, before any study has run."""

import pytest

from finetune_alf.errors import ParamsError
from finetune_alf.experiments.registry import load_params

SIZES = "n_train: 64, n_validation: 24, n_confirmation: 0, n_test: 24, max_train_frac: 1"
SAMPLES = f"""
studies: {{minilm: ~}}
transfer: {{studies: [], samples: []}}
samples:
  films: {{source: {{kind: mini, domain: films}}, {SIZES}}}
  tags:
    {{source: {{kind: files, train: t.csv, text: text, label: [a, b]}}, problem_type: multi_label, balance: natural,
     {SIZES}}}
  mixed:
    tasks:
      films: {{source: {{kind: mini, domain: films}}, {SIZES}}}
      sts: {{source: {{kind: glue, task: stsb}}, {SIZES}}}
"""


def load(tmp_path, sample, tasks):
    recipe = f"{{rates: {{kind: uniform, rate: 1e-5}}, epochs: 1, batch: 8, max_tokens: 16, tasks: {tasks}}}"
    entry = f"{{encoder: minilm, sample: {sample}, baseline: all, vary: {{all: {{}}}}, recipe: {recipe}}}"
    (tmp_path / "over.yaml").write_text(f"{SAMPLES}\nmultitask: {{one: {entry}}}\n")
    load_params(tmp_path / "none.yaml", ["default", str(tmp_path / "over.yaml")])


@pytest.mark.parametrize(
    ("sample", "tasks", "message"),
    [
        ("tags", "{}", ": must be absent, as the labels of sample tags are sets of classes"),
        (
            "mixed",
            "{each: {sts: {metric: accuracy}}}",
            ".each.sts.metric: must be pearson or spearman, as the labels of sts are scores, but got accuracy",
        ),
        (
            "mixed",
            "{each: {sts: {loss: cross_entropy}}}",
            ".each.sts.loss: must be squared_error, as the labels of sts are scores, but got cross_entropy",
        ),
        (
            "films",
            "{each: {films: {loss: squared_error}}}",
            ".each.films.loss: must be cross_entropy or binary_cross_entropy, as the labels of films are classes, but "
            "got squared_error",
        ),
    ],
)
def test_what_does_not_suit_the_labels_is_refused(tmp_path, sample, tasks, message):
    with pytest.raises(ParamsError) as found:
        load(tmp_path, sample, tasks)
    (line,) = str(found.value).splitlines()
    assert f"multitask.one.recipe.tasks{message}" in line


def test_what_suits_them_is_accepted(tmp_path):
    load(tmp_path, "mixed", "{each: {sts: {metric: spearman, loss: squared_error}, films: {metric: f1}}}")
    load(tmp_path, "films", "{each: {films: {loss: binary_cross_entropy, metric: matthews}}}")
