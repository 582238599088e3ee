"""What does not suit the samples of an entry is found where it stands: metrics, objectives, and batches of draws."""

import pytest

from finetune_alf.experiments.registry import model_of
from finetune_alf.params.model import disagreements as all_disagreements

SAMPLES = {
    "films": {"source": {"kind": "mini", "domain": "films"}},
    "own": {"source": {"kind": "files", "train": "a.csv"}, "problem_type": "regression"},
    "stsb": {"source": {"kind": "glue", "task": "stsb"}},
    "rte": {"source": {"kind": "glue", "task": "rte"}},
    "mix": {"tasks": {"stsb": {"source": {"kind": "glue", "task": "stsb"}}}},
}


def disagreements(raw: dict[str, object]) -> list[tuple[tuple[str | int, ...], str]]:
    return list(all_disagreements(raw, model_of().sections))


def found_in(**sections: object) -> list[str]:
    found = disagreements({"samples": SAMPLES, "encoders": {"e": {}}, **sections})
    return [f"{'.'.join(map(str, place))}: {message}" for place, message in found if "labels" in message]


@pytest.mark.parametrize(
    ("sample", "metric", "suits"),
    [
        ("films", None, True),
        ("rte", "matthews", True),
        ("stsb", "spearman", True),
        ("own", "pearson", True),
        ("films", "pearson", False),
        ("rte", "spearman", False),
        ("stsb", None, False),
        ("own", "f1", False),
    ],
)
def test_each_section_is_held_to_its_samples_labels(sample: str, metric: str | None, suits: bool) -> None:
    asked = {"encoder": "e", **({"metric": metric} if metric else {})}
    study, testbed = {**asked, "sample": sample}, {**asked, "samples": [sample]}
    found = found_in(studies={"s": study}, schemes={"t": testbed})
    assert [line.partition(":")[0] for line in found] == ([] if suits else ["studies.s.metric", "schemes.t.metric"])
    assert all(f"sample {sample} are" in line and f"but got {metric or 'accuracy'}" in line for line in found)


def test_a_sweeps_metrics_are_checked_by_sample_and_an_adaptations_where_it_names_one() -> None:
    sweep = {"encoder": "e", "samples": ["rte", "stsb"], "metrics": {"rte": ["f1", "pearson"], "stsb": ["pearson"]}}
    adapt = {"a": {"encoder": "e", "sample": "stsb"}, "b": {"encoder": "e", "sample": "stsb", "metric": "accuracy"}}
    assert [line.partition(":")[0] for line in found_in(freeze={"f": sweep}, adapt=adapt)] == [
        "adapt.b.metric",
        "freeze.f.metrics.rte.1",
    ]


def test_a_mixture_has_metrics_of_its_own() -> None:
    study = {"encoder": "e", "sample": "mix", "recipe": {"tasks": {"overall": "mean"}}}
    assert found_in(studies={"s": study}) == []
    found = disagreements({"samples": SAMPLES, "encoders": {"e": {}}, "studies": {"s": {**study, "metric": "f1"}}})
    assert (("studies", "s", "metric"), "must be left out where recipe.tasks has each task's, but got f1") in found


def test_a_transfer_to_samples_of_other_labels_is_refused() -> None:
    studies = {"s": {"encoder": "e", "sample": "rte", "metric": "matthews"}}
    (line,) = found_in(studies=studies, transfer={"studies": ["s"], "samples": ["films", "stsb"]})
    assert line == "transfer.samples.1: must have labels for the matthews of study s, but those of stsb are scores"


@pytest.mark.parametrize(
    "broken",
    [{"studies": {"s": None, "t": {"sample": ["rte"], "metric": 3}}}, {"freeze": []}, {"transfer": {"samples": 3}}],
)
def test_what_is_no_params_at_all_is_left_to_others(broken: dict[str, object]) -> None:
    assert found_in(**broken) == []


def test_pairs_of_classes_need_classes_in_a_transfer_and_in_labels() -> None:
    schemes, studies = ["baseline", {"kind": "contrastive"}], {"s": {"encoder": "e", "sample": "films"}}
    (transferred,) = (
        message
        for place, message in disagreements(
            {"samples": SAMPLES, "studies": studies, "transfer": {"samples": ["films", "own"], "schemes": schemes}}
        )
        if place[:2] == ("transfer", "samples")
    )
    labels = {"few": {"samples": ["films", "own"], "metric": "pearson", "schemes": schemes}}
    found = disagreements({"samples": SAMPLES, "labels": labels})
    assert transferred == "must have classes for the scheme contrastive, but own has scores"
    assert (("labels", "few", "samples", 1), transferred) in found


@pytest.mark.parametrize(("n_train", "fits"), [(64, True), (16, False)])
def test_the_batch_of_a_budget_is_held_to_the_training_texts_that_it_draws(n_train: int, fits: bool) -> None:
    budget = {"b": {"samples": ["films"], "n_train": n_train, "recipe": {"batch": 32}}}
    found = disagreements({"samples": {"films": {**SAMPLES["films"], "n_train": 8}}, "budget": budget})
    batches = [message for place, message in found if place[-1] == "batch"]
    assert batches == ([] if fits else ["must be at most n_train, 16, but got 32"])


@pytest.mark.parametrize(("sample", "suits"), [("films", True), ("stsb", False)])
def test_what_is_done_for_uneven_classes_needs_classes(sample: str, suits: bool) -> None:
    metric = "accuracy" if suits else "pearson"
    recipes = ({"class_weights": "balanced"}, {"class_sampling": "balanced"}, {"class_sampling": "natural"})
    entries = {
        f"s{n}": {"encoder": "e", "sample": sample, "metric": metric, "recipe": r} for n, r in enumerate(recipes)
    }
    message = "must be absent, as the labels of sample stsb are scores"
    expected = [f"studies.s0.recipe.class_weights: {message}", f"studies.s1.recipe.class_sampling: {message}"]
    assert found_in(studies=entries) == ([] if suits else expected)
