"""Field by field: a field of a fit is in its identity if and only if changing it changes a bit of the result."""

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pytest
import torch
from pydantic import BaseModel, Field

from finetune_alf.compute import Compute, ComputeSpec
from finetune_alf.data.prepare import prepare_mixture, prepare_sample
from finetune_alf.data.spec import MixtureSpec, SampleSpec
from finetune_alf.identity import identity_of
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.recipe import Recipe
from finetune_alf.spec import ADDED_LATER
from finetune_alf.study.identity import study_identity
from finetune_alf.study.spec import StudySpec
from finetune_alf.train.result import FitResult
from tiny import save_tiny, tiny_spec

ARCHITECTURE = Path(__file__).parents[2] / "docs/architecture.md"
HEADER = "| record | in the identity | not in it |"
ROUNDED = 1e-4
"""How far losses may differ where a way to run a fit changes the order of sums; relative."""

RECIPE = {
    "rates": {"kind": "uniform", "rate": 2e-3, "head": 1e-2},
    "epochs": 3,
    "batch": 4,
    "max_tokens": 12,
    "allow_forgetting": True,
}
WORDS = ("warm", "cold", "fine", "grim", "kind", "sad", "meal", "day", "bread", "people")
TASKS: dict[str, Any] = {"tasks": {}}
PAIR: dict[str, Any] = {"tasks": {"heads": {"n_common_layers": 0}}}
STOPPING = {"epochs": 4, "early_stopping": {"patience": 1, "min_delta": 10.0}}
HOULSBY = {"adapter": {"kind": "houlsby", "width": 4}}
LORA = {"adapter": {"kind": "lora", "rank": 2}}
SGD = {"optimizer": {"kind": "sgd", "momentum": 0.9}}
LISTED = {"rates": {"kind": "listed", "embeddings": 1e-3, "layers": [1e-3] * 3, "head": 1e-2}}
FROZEN = {"rates": {"kind": "frozen_below", "n_frozen": 1, "rate": 1e-3, "head": 1e-2}}
DECAYED = {"rates": {"kind": "decayed", "rate": 1e-3, "decay": 0.5, "head": 1e-2}}
SPREAD = {"rates": {"kind": "spread", "low": 1e-5, "high": 1e-3, "head": 1e-2}}
CONTRASTIVE = {"pooling": "mean", "objective": {"kind": "contrastive", "n_pairs": 4}}
SLANTED = {"curve": {"kind": "slanted_triangular"}}


def of(section: str, base: Mapping[str, Any], **changes: Any) -> dict[str, tuple[Mapping[str, Any], dict[str, Any]]]:
    """Return cases by field: a recipe, and what is changed in one section of it."""
    return {field: (base, {section: {field: value}}) for field, value in changes.items()}


CASES: dict[str, dict[str, tuple[Mapping[str, Any], dict[str, Any]]]] = {
    "Recipe": {
        "rates": ({}, FROZEN),
        "epochs": ({}, {"epochs": 2}),
        "batch": ({}, {"batch": 8}),
        "max_tokens": ({}, {"max_tokens": 5}),
        "optimizer": ({}, SGD),
        "curve": ({}, SLANTED),
        "unfreezing": ({}, {"unfreezing": {"kind": "gradual"}}),
        "early_stopping": ({"epochs": 4}, STOPPING),
        "clip": ({}, {"clip": 1e-3}),
        "keep": ({"epochs": 8}, {"keep": "best"}),
        "frozen_dropout": (FROZEN, {"frozen_dropout": "off"}),
        "allow_forgetting": (
            {"rates": {"kind": "uniform", "rate": 1e-4, "head": 1e-2}, "allow_forgetting": False},
            {"allow_forgetting": True},
        ),
        "adapter": ({}, HOULSBY),
        "tasks": ({}, {"tasks": {}}),
        "pooling": ({}, {"pooling": "mean"}),
        "pooler": ({}, {"pooler": "frozen"}),
        "steps_per_epoch": ({}, {"steps_per_epoch": 3}),
        "objective": ({"pooling": "mean"}, CONTRASTIVE),
        "class_weights": ({}, {"class_weights": {"positive": 3.0}}),
        "class_sampling": ({}, {"class_sampling": "balanced"}),
        "truncation": ({"max_tokens": 6}, {"truncation": "head_tail"}),
    },
    "UniformRates": of("rates", {}, rate=1e-3, head=1e-3),
    "DecayedRates": of("rates", DECAYED, rate=2e-3, decay=0.9, head=1e-3),
    "SpreadRates": of("rates", SPREAD, low=1e-4, high=2e-3, head=1e-3),
    "FrozenBelow": of("rates", FROZEN, n_frozen=2, rate=2e-3, head=1e-3),
    "ListedRates": of("rates", LISTED, embeddings=0.0, layers=[1e-3, 0.0, 1e-3], head=1e-3),
    "AdamW": of("optimizer", {"optimizer": {"kind": "adamw"}}, betas=[0.5, 0.9], eps=1e-3, weight_decay=0.1),
    "SGD": of("optimizer", SGD, momentum=0.5, nesterov=True, weight_decay=0.1),
    "LinearCurve": of("curve", {"curve": {"kind": "linear"}}, warmup_frac=0.5),
    "CosineCurve": of("curve", {"curve": {"kind": "cosine"}}, warmup_frac=0.5),
    "SlantedTriangularCurve": of("curve", SLANTED, cut_frac=0.5, ratio=4.0),
    "ExponentialCurve": of("curve", {"curve": {"kind": "exponential"}}, decay=0.5),
    "GradualUnfreezing": of("unfreezing", {"unfreezing": {"kind": "gradual"}}, every_epochs=2, start="head"),
    "EarlyStopping": of("early_stopping", STOPPING, patience=2, min_delta=0.0),
    "HoulsbyAdapter": of("adapter", HOULSBY, width=8, activation="relu"),
    "LoraAdapter": of("adapter", LORA, rank=4, alpha=4.0),
    "Contrastive": of("objective", CONTRASTIVE, n_pairs=3, positive_frac=0.25),
    "TasksSpec": of(
        "tasks",
        {"tasks": {"each": {"same": {"metric": "matthews"}}}},
        sampling={"kind": "joint"},
        heads={"n_own_layers": 2},
        overall="mean",
        steps_per_epoch=2,
        each={"same": {"weight": 2.0}},
    ),
    "TemperedSampling": {
        "power": (
            {"tasks": {"sampling": {"kind": "tempered"}, "steps_per_epoch": 8}},
            {"tasks": {"sampling": {"power": 0.0}}},
        )
    },
    "AnnealedSampling": {
        "fall": (
            {"tasks": {"sampling": {"kind": "annealed"}, "steps_per_epoch": 8}},
            {"tasks": {"sampling": {"fall": 0.0}}},
        )
    },
    "HeadsSpec": {
        field: (TASKS, {"tasks": {"heads": {field: value}}})
        for field, value in {"n_common_layers": 2, "n_own_layers": 2, "dropout": 0.0, "activation": "tanh"}.items()
    },
    "TaskSpec": {
        field: (PAIR, {"tasks": {"each": {"same": {field: value}}}})
        for field, value in {
            "pairs": "apart",
            "n_layers": 2,
            "weight": 2.0,
            "metric": "f1",
            "loss": "binary_cross_entropy",
        }.items()
    },
}
"""By spec and field: a recipe, what is laid over RECIPE, and then what is changed."""


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one map over another; a map of another kind takes the place of the one below."""
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        same = isinstance(old, dict) and isinstance(value, dict) and value.get("kind") in (None, old.get("kind"))
        both[key] = merged(old, value) if same and isinstance(old, dict) else value
    return both


def recipe(*changes: Mapping[str, Any]) -> Recipe:
    return Recipe.model_validate_json(json.dumps(functools.reduce(merged, changes, RECIPE)))


def specs(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the specs of a type, and those inside them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from specs(field.annotation)
    for inner in get_args(annotation):
        yield from specs(inner)


def outcome(result: FitResult) -> dict[str, Any]:
    """Return the losses, scores and predictions of a fit."""
    epochs = [e.model_dump(include={"train_loss", "validation_loss", "validation_score"}) for e in result.epochs]
    return {"epochs": epochs, **result.model_dump(include={"loss", "score", "predictions", "tasks"})}


def losses(result: FitResult) -> list[float]:
    return [loss for e in result.epochs for loss in (e.train_loss or 0.0, e.validation_loss or 0.0)]


def largest(one: list[float], other: list[float]) -> float:
    """Return the largest relative difference of two fits' losses."""
    return max(abs(a - b) / abs(a) for a, b in zip(one, other, strict=True))


class Fits:
    """Fits of tiny jobs, each done once, and the identities of their jobs."""

    def __init__(self, root: Path) -> None:
        words = [
            ["warm", "cold", "fine", "grim", "kind", "sad", "meal", "day", "bread", "people"][i % 10]
            for i in range(400)
        ]
        rows = [f"{words[i]} {words[3 * i + 1]} {i},{words[7 * i]} {i},{i % 2},{i % 11}\n" for i in range(48)]
        (root / "pairs.csv").write_text("one,other,same,like\n" + "".join(rows))
        films = {"source": {"kind": "mini", "domain": "films"}, "n_train": 16, "n_validation": 16}
        films |= {"n_confirmation": 0, "n_test": 16, "max_train_frac": 0.2}
        pairs = {"kind": "files", "train": "pairs.csv", "text": ["one", "other"], "label": "same"}
        same = films | {"source": pairs, "n_train": 8, "n_validation": 8, "n_test": 8, "max_train_frac": 0.5}
        one = SampleSpec.model_validate_json(json.dumps(films))
        travel = SampleSpec.model_validate_json(json.dumps(films | {"source": {"kind": "mini", "domain": "travel"}}))
        mixture = MixtureSpec.model_validate_json(json.dumps({"tasks": {"films": films, "same": same}}))
        self.sample = prepare_sample("films", one, root / "films").digest
        self.travel = prepare_sample("travel", travel, root / "travel").digest
        self.mixture = prepare_mixture("mix", mixture, root / "mix", root).digest
        self.folders = {self.sample: root / "films", self.travel: root / "travel", self.mixture: root / "mix"}
        self.with_pooler = save_tiny(root / "encoder")
        self.runner = FitRunner(self.folders, Compute("cpu", "fp32", n_threads=1))
        self.ledger = Ledger(root / "jobs.jsonl")
        self._done: dict[str, FitResult] = {}

    def job(self, own: Recipe, **changes: Any) -> FitJob:
        given = {"key": "one", "encoder": tiny_spec(), "seed": 1, "precision": "fp32", "score_on": "test"}
        given |= {"sample": self.mixture if own.tasks else self.sample, "recipe": own}
        return FitJob(**given | changes)

    def result(self, job: FitJob) -> FitResult:
        key = repr(job)
        if key not in self._done:
            self._done[key] = self.runner(job, lambda metrics: True)
        return self._done[key]

    def differ(self, one: FitJob, other: FitJob) -> tuple[bool, bool]:
        """Return whether two jobs have other identities, and whether they have other results."""
        identities = self.ledger.identity(one) != self.ledger.identity(other)
        return identities, outcome(self.result(one)) != outcome(self.result(other))


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> Fits:
    return Fits(tmp_path_factory.mktemp("fits"))


def test_there_is_a_case_for_every_field_of_a_recipe() -> None:
    there = {spec.__name__: {name for name in spec.model_fields if name != "kind"} for spec in specs(Recipe)}
    assert {name: set(cases) for name, cases in CASES.items()} == {name: own for name, own in there.items() if own}


@pytest.mark.parametrize(("spec", "field"), [(spec, field) for spec, cases in CASES.items() for field in cases])
def test_a_field_of_a_recipe_is_in_the_identity_if_and_only_if_it_changes_a_bit(
    fits: Fits, spec: str, field: str
) -> None:
    base, change = CASES[spec][field]
    encoder = fits.with_pooler if field == "pooler" else tiny_spec()
    one, other = (fits.job(own, encoder=encoder) for own in (recipe(base), recipe(base, change)))
    identities, results = fits.differ(one, other)
    assert identities == results == (field != "allow_forgetting")


def test_a_field_of_a_job_is_in_the_identity_if_and_only_if_it_changes_a_bit(fits: Fits) -> None:
    changes = {
        "key": "another",
        "recipe": recipe({"epochs": 2}),
        "encoder": tiny_spec().model_copy(update={"seed": 2}),
        "sample": fits.travel,
        "seed": 2,
        "precision": "bf16",
        "score_on": "validation",
        "metric": "matthews",
    }
    assert set(changes) == {field.name for field in fields(FitJob)}
    for field, value in changes.items():
        identities, results = fits.differ(fits.job(recipe()), fits.job(recipe(), **{field: value}))
        assert identities == results == (field != "key"), field


def test_how_a_fit_is_run_changes_at_most_the_rounding(fits: Fits) -> None:
    job = FitJob("one", recipe(), tiny_spec(0.0), fits.sample, 1, "fp32", "test")
    expected = losses(fits.result(job))
    ways = {
        "micro_batch": Compute("cpu", "fp32", n_threads=1, micro_batch=3),
        "n_threads": Compute("cpu", "fp32", n_threads=2),
        "device": Compute("cpu", "fp32", n_threads=1),
    }
    for field, compute in ways.items():
        found = losses(FitRunner(fits.folders, compute)(job, lambda metrics: True))
        print(f"{field}: losses differ by {largest(expected, found):.0e}")
        assert found == pytest.approx(expected, rel=ROUNDED), field
    torch.set_num_threads(1)
    other = FitJob("other", recipe({"rates": {"rate": 1e-3}}), tiny_spec(0.0), fits.sample, 1, "fp32", "test")
    fused = {one.job.key: one.result for one in fits.runner.run_fused([job, other], lambda job, metrics: True)}
    assert losses(fused["one"]) == pytest.approx(expected, rel=ROUNDED), "n_fused"  # type: ignore[arg-type]
    where = {
        "executor",
        "n_workers",
        "job_timeout_s",
        *(name for name in ComputeSpec.model_fields if name[:4] == "ray_"),
    }
    assert set(ComputeSpec.model_fields) == {*ways, *where, "devices", "n_fused", "precision"}


def test_under_dropout_a_micro_batch_is_like_another_seed_and_more_than_rounding(fits: Fits) -> None:
    job = fits.job(recipe())
    expected = losses(fits.result(job))
    smaller = FitRunner(fits.folders, Compute("cpu", "fp32", n_threads=1, micro_batch=3))
    change = largest(expected, losses(smaller(job, lambda metrics: True)))
    other_seed = largest(expected, losses(fits.result(fits.job(recipe(), seed=2))))
    print(f"with dropout: micro_batch {change:.0e}, another seed {other_seed:.0e}")
    assert ROUNDED < change < 10 * other_seed


def test_a_field_that_may_be_absent_changes_no_identity_where_it_is() -> None:
    class Grown(Recipe):
        anything_new: int | None = None

    grown = Grown.model_validate(recipe().model_dump())
    assert identity_of({"recipe": grown, "new": None}) == identity_of({"recipe": recipe()})


def test_a_field_that_is_marked_as_added_later_changes_an_identity_only_away_from_its_default() -> None:
    class Grown(Recipe):
        new: Annotated[Literal["old way", "new way"], ADDED_LATER] = "old way"
        listed: Annotated[tuple[int, ...], ADDED_LATER] = Field(default_factory=tuple)

    old = identity_of({"recipe": recipe()})
    grown = Grown.model_validate(recipe().model_dump())
    assert identity_of({"recipe": grown}) == old
    changed = grown.model_copy(update={"new": "new way"})
    assert identity_of({"recipe": changed}) == {"recipe": {**old["recipe"], "new": "new way"}}


def test_studies_ledgers_and_schedules_have_a_recipe_alike() -> None:
    fields = {"encoder": "e", "sample": "s", "space": {"kind": "choices", "rates": [0, 1e-3]}, "n_trials": 1}
    spec = StudySpec.model_validate_json(json.dumps({**fields, "recipe": recipe().model_dump(mode="json")}))
    assert study_identity(spec, "s", "e", "fp32")["recipe"] == identity_of({"recipe": recipe()})["recipe"]


def test_the_table_of_the_documents_is_what_the_cases_show() -> None:
    text = ARCHITECTURE.read_text("utf-8")
    there = re.search(rf"{re.escape(HEADER)}\n.*?\n\n", text, re.DOTALL)
    assert there is not None
    if os.environ.get("UPDATE_GOLDEN"):
        ARCHITECTURE.write_text(text.replace(there.group(), table()), encoding="utf-8")
    else:
        assert there.group() == table()


def table() -> str:
    rows = [
        ("`FitJob`", [field.name for field in fields(FitJob) if field.name != "key"], "`key`: changes nothing"),
        (
            "`compute`",
            ["precision"],
            "`executor`, `n_workers`, `job_timeout_s`, `ray_…`: nothing; `device`, `devices`, `n_fused`, `n_threads`, "
            "`micro_batch`: rounding",
        ),
    ]
    for spec, cases in CASES.items():
        inside = [field for field in cases if field != "allow_forgetting"]
        rows.append((f"`{spec}`", inside, "`allow_forgetting`: changes nothing" if len(inside) < len(cases) else ""))
    lines = [
        f"| {name} | {', '.join(f'`{field}`' for field in inside)} | {outside} |" for name, inside, outside in rows
    ]
    return "\n".join([HEADER, "|---|---|---|", *lines]) + "\n\n"
