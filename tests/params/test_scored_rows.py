"""`params check` refuses samples with too few texts to score an experiment on, before anything is fitted."""

import pytest

from finetune_alf.errors import ParamsError
from finetune_alf.experiments.registry import load_params

UNIFORM = "recipe: {rates: {kind: uniform, rate: 1e-5, head: 1e-3}, epochs: 1, batch: 8, max_tokens: 16}"
OF_TASKS = UNIFORM.replace("epochs", "tasks: {}, epochs")
FILMS, MIXED = "samples.films.", "samples.mixed.tasks.gadgets."

EXPERIMENTS = {
    "freeze": f"freeze: {{one: {{encoder: minilm, samples: [films], {UNIFORM}}}}}",
    "schemes": f"schemes: {{one: {{encoder: minilm, samples: [films], {UNIFORM}}}}}",
    "forgetting": f"forgetting: {{one: {{encoder: minilm, sample: films, {UNIFORM}}}}}",
    "decay": f"decay: {{one: {{encoder: minilm, sample: films, {UNIFORM}}}}}",
    "multitask": (
        "multitask: {one: {encoder: minilm, sample: mixed, score_on: validation, baseline: all, vary: {all: {}}, "
        f"{OF_TASKS}}}}}"
    ),
    "adapt": f"adapt: {{one: {{encoder: minilm, sample: films, epochs: 1, {UNIFORM}}}}}",
}


def load(tmp_path, experiment, n_validation, n_test):
    sizes = f"n_train: 64, n_validation: {n_validation}, n_confirmation: 0, n_test: {n_test}, max_train_frac: 1"
    films, gadgets = (f"{{source: {{kind: mini, domain: {domain}}}, {sizes}}}" for domain in ("films", "gadgets"))
    samples = f"samples: {{films: {films}, mixed: {{tasks: {{gadgets: {gadgets}}}}}}}"
    none = "studies: {minilm: ~}\ntransfer: {studies: [], samples: []}"
    (tmp_path / "over.yaml").write_text(f"{none}\n{samples}\n{EXPERIMENTS[experiment]}\n")
    load_params(tmp_path / "none.yaml", ["default", str(tmp_path / "over.yaml")])


@pytest.mark.parametrize(
    ("experiment", "n_validation", "n_test", "refused"),
    [
        ("freeze", 0, 24, f"{FILMS}n_validation: must be above 0"),
        ("freeze", 24, 1, f"{FILMS}n_test: must be above 1"),
        ("freeze", 1, 0, f"{FILMS}n_validation: must be above 1"),
        ("schemes", 1, 24, f"{FILMS}n_validation: must be above 1"),
        ("forgetting", 1, 24, f"{FILMS}n_validation: must be above 1"),
        ("decay", 24, 1, f"{FILMS}n_test: must be above 1"),
        ("multitask", 1, 24, f"{MIXED}n_validation: must be above 1"),
        ("adapt", 24, 0, f"{FILMS}n_test: must be above 1"),
        ("adapt", 24, 1, f"{FILMS}n_test: must be above 1"),
        ("adapt", 0, 24, f"{FILMS}n_validation: must be above 0"),
    ],
)
def test_too_few_texts_to_score_on_are_refused(tmp_path, experiment, n_validation, n_test, refused):
    with pytest.raises(ParamsError) as found:
        load(tmp_path, experiment, n_validation, n_test)
    (line,) = str(found.value).splitlines()
    assert f"{refused}, since {experiment}.one is scored on these rows, but got " in line


@pytest.mark.parametrize(
    ("experiment", "n_validation", "n_test"),
    [
        *((experiment, 2, 2) for experiment in EXPERIMENTS),
        ("freeze", 1, 2),  # the rate alone is selected on it
        ("freeze", 2, 0),
        ("schemes", 2, 0),
        ("forgetting", 2, 1),
        ("multitask", 2, 0),
        ("decay", 1, 2),
        ("adapt", 1, 2),
    ],
)
def test_enough_texts_are_accepted(tmp_path, experiment, n_validation, n_test):
    load(tmp_path, experiment, n_validation, n_test)


@pytest.mark.parametrize("setting", ["objective: {kind: contrastive}, pooling: mean", "class_sampling: balanced"])
def test_the_comparison_of_an_adaptation_takes_classes_where_its_recipe_is_for_classes(tmp_path, setting):
    source = "source: {kind: files, train: a.csv, text: text, label: label}, problem_type: regression"
    sizes = "n_train: 64, n_validation: 24, n_confirmation: 0, n_test: 24, max_train_frac: 1"
    recipe = UNIFORM.replace("epochs", f"{setting}, epochs")
    (tmp_path / "over.yaml").write_text(
        f"samples: {{scores: {{{source}, {sizes}}}}}\n"
        f"adapt: {{one: {{encoder: minilm, sample: scores, epochs: 1, {recipe}}}}}\n"
    )
    with pytest.raises(ParamsError, match=rf"adapt\.one\.recipe\.{setting.partition(':')[0]}: must be absent, as the"):
        load_params(tmp_path / "none.yaml", ["default", str(tmp_path / "over.yaml")])
